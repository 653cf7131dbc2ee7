"""What every backend of the log must do. A backend is added in `backends.py`; sqlite's own tests are beside it."""
