"""What a person starts: lessons in the terminal, JupyterLab, predictions, Colab's versions."""
