"""Labels in the fields of csv files: several in one, with confidences, over several columns."""
