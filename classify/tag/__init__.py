"""Tags for a folder of pictures in one step, from features made as the model's were."""
