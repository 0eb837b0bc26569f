"""`index.csv` as columns: blocks of its lines, where its rows begin, rows read when asked for."""
