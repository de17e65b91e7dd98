from tests.network.conftest import coturn

__all__ = ["coturn"]
