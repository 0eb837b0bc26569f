"""``tables finetune``: fine-tuned networks beside frozen features."""
