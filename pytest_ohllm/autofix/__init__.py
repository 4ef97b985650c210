"""The console script ``ohllm-autofix``: for failures that are the SDK's fault. Not built yet."""
