"""The desktop window of ``handread pick``: `session` and its helpers decide, the widgets only show."""
