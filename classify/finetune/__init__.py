"""Fine-tuning: images to scores by a whole network that learns. The one part that needs torch."""
