"""`python -m classify`: train on a cache, tag the images of another, fine-tune a network."""

from features.interrupts import end_quietly

if __name__ == "__main__":
    end_quietly()  # also while what follows is loaded

from features.command_line import Command, run_command, run_commands

_FINETUNE = "classify.finetune.command"

COMMANDS = (
    Command(
        ("fit",),
        "train a model on cached features",
        "python -m classify fit photos.cache --learner l2 --out tagger.safetensors",
        "classify.commands:add_fit_arguments",
        "classify.commands:run_fit",
    ),
    Command(
        ("predict",),
        "tag images",
        "python -m classify predict tagger.safetensors photos.cache --out tags.csv",
        "classify.commands:add_predict_arguments",
        "classify.commands:run_predict",
    ),
    Command(
        ("tag",),
        "tag a folder of pictures: features as the model's were made, then predictions",
        "python -m classify tag pictures --model tagger.safetensors --out tags.csv",
        "classify.tag.command:add_tag_arguments",
        "classify.tag.command:run_tag",
    ),
    Command(
        ("export-onnx",),
        "write a model with its backbone as one ONNX file",
        "python -m classify export-onnx --model tagger.safetensors --out tagger.onnx",
        "classify.tag.onnx_command:add_export_onnx_arguments",
        "classify.tag.onnx_command:run_export_onnx",
    ),
    Command(
        ("audit",),
        "look for repeated pictures, doubtful labels and rare labels",
        "python -m classify audit photos.cache --out audit.jsonl",
        "classify.audit.command:add_audit_arguments",
        "classify.audit.command:run_audit",
    ),
    Command(
        ("suggest",),
        "choose the images to label next: uncertain ones, unlike each other",
        "python -m classify suggest photos.cache --model tagger.safetensors --count 50",
        "classify.suggest.command:add_suggest_arguments",
        "classify.suggest.command:run_suggest",
    ),
    Command(
        ("neighbors",),
        "find the images that look most like given ones",
        "python -m classify neighbors photos.cache --image cow.jpg --count 10\n"
        "python -m classify neighbors photos.cache --row 5 --data photos --out sheet.html",
        "classify.neighbors.command:add_neighbors_arguments",
        "classify.neighbors.command:run_neighbors",
    ),
    Command(
        ("sweep",),
        "fit learners over values of C and random splits",
        "python -m classify sweep photos.cache --learner l1 l2 --C 0.01:100:5 --splits 3 "
        "--out sweep.jsonl",
        "classify.commands:add_sweep_arguments",
        "classify.commands:run_sweep",
    ),
    Command(
        ("report",),
        "write a page about results: scores, labels, mistakes, and where they come from",
        "python -m classify report sweep.jsonl --cache photos.cache --data photos "
        "--out report.html",
        "classify.report.command:add_report_arguments",
        "classify.report.command:run_report",
    ),
    Command(
        ("finetune",),
        "train a whole network on images",
        "python -m classify finetune --data photos --model coprojection --backbone resnet101 "
        "--size 448 --out tuned\n"
        "torchrun --nproc-per-node 4 -m classify finetune --data photos --out tuned",
        f"{_FINETUNE}:add_finetune_arguments",
        f"{_FINETUNE}:run_finetune",
    ),
    Command(
        ("cam",),
        "show where a fine-tuned network sees a label",
        "python -m classify cam tuned --images photos/images/1.jpg --out maps",
        f"{_FINETUNE}:add_cam_arguments",
        f"{_FINETUNE}:run_cam",
    ),
)


def main(argv: list[str] | None = None) -> int | None:
    """Parse the command line and run the command; give its exit code, None for 0."""
    return run_commands(
        COMMANDS,
        "python -m classify",
        "Learn labels from cached features, on a CPU; or fine-tune a whole network.",
        argv,
    )


if __name__ == "__main__":
    run_command(main)
