"""Where pictures come from: folders, archives, lists. One file and one record in `catalog` each."""
