"""For those who write a kind of target: tests that every kind passes, to run with pytest against the real other end.

    class TestSmtp(DeliveryConformance):
        @pytest.fixture
        def end(self):
            with MailServer() as end:
                yield end

pytest has to be installed; nothing else that delivery does not need. Nothing imports this but tests.
"""

import pytest

pytest.register_assert_rewrite("adapters.testing.conformance", "adapters.testing.partition")  # failures show values

from adapters.testing.conformance import DeliveryConformance  # noqa: E402
from adapters.testing.other_end import OtherEnd  # noqa: E402

__all__ = ["DeliveryConformance", "OtherEnd"]
