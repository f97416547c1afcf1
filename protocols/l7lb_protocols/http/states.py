"""The states of the two halves of an HTTP/1.1 dialogue.

ask      HEAD → LENGTH | CHUNKED → DONE → HEAD …                  `session.HttpSession`
answer   NONE → CONNECT → HEAD → LENGTH | CHUNKED | EOF → NONE …  `answer.AnswerSide`
both     → TUNNEL after 101, or 2xx to CONNECT
"""

ASK_HEAD = 0
"""Waiting for a request head, or in the middle of one."""
ASK_LENGTH = 1
"""The driver relays a body of known length."""
ASK_CHUNKED = 2
ASK_DONE = 3
"""The whole request has come."""
ASK_TUNNEL = 4

ANSWER_NONE = 0
"""No exchange is under way."""
ANSWER_CONNECT = 1
"""Waiting for a server connection."""
ANSWER_HEAD = 2
"""The request is with the server, no final response head has come."""
ANSWER_LENGTH = 3
"""The driver relays a body of known length."""
ANSWER_CHUNKED = 4
ANSWER_EOF = 5
"""The driver relays until the server ends."""
ANSWER_TUNNEL = 6
