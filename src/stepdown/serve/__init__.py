"""The gateway: OpenAI's API in front, students behind it, and the upstream behind those."""
