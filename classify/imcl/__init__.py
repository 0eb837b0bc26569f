"""Interactive multi-label learning (IMCL): its tagger and what only it needs."""
