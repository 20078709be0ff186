"""Functions for agents (service accounts) and for text."""

from .agent import (
    generate_agent_jwt,
    get_agent_token,
    get_agent_token_async,
    kid_from_verify_key,
    register_agent,
    register_agent_async,
)

__all__ = [
    "generate_agent_jwt",
    "get_agent_token",
    "get_agent_token_async",
    "kid_from_verify_key",
    "register_agent",
    "register_agent_async",
]
