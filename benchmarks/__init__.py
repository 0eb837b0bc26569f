"""Tables of the papers and measurements against peers. Imports everything; nothing imports it."""
