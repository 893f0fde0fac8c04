"""What is measured, one file a task. Each has `run(bench, family)`, which leaves its results with the bench."""
