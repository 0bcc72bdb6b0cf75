"""For tests of programs that chat: a server inside the test, with the answers you want.

    def test_the_forecast_is_told(chatloom: Server) -> None:
        chatloom.say("Sunny.")
        assert forecast(chatloom.client(ChatServerClient)) == "It will be sunny."

The fixture comes with the package; without pytest, `server` gives the same.
"""

from chatloom.testing.network import NetworkForbidden, forbid_network
from chatloom.testing.script import ToolCall
from chatloom.testing.server import Asked, Server, server

__all__ = ["Asked", "NetworkForbidden", "Server", "ToolCall", "forbid_network", "server"]
