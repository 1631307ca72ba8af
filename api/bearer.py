"""The token that others ask for, shown to them."""

from __future__ import annotations

import requests


class Bearer(requests.auth.AuthBase):
    """A token as the only credential: a login in ~/.netrc would otherwise take its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
