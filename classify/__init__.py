"""Stage two: learners, metrics and sweeps over cached features. Importing it never loads torch."""
