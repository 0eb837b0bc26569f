"""What is wrong with a labeled data set: repeated pictures, doubtful and rare labels."""
