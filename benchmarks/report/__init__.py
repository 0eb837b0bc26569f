"""How numbers are shown: Markdown, HTML, plots, statistics. Knows no learner and no paper."""
