"""For those who write a kind of target: tests that every kind passes, to run with pytest against the real other end.

    class TestSmtp(DeliveryConformance):
        @pytest.fixture
        def end(self):
            with MailServer() as end:
                yield end

pytest has to be installed; nothing else that delivery does not need. Nothing imports this but tests.
"""

from adapters.testing.conformance import DeliveryConformance
from adapters.testing.other_end import OtherEnd

__all__ = ["DeliveryConformance", "OtherEnd"]
