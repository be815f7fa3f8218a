"""Events of API Gateway's HTTP APIs, payload 2.0, as the Developer Guide has them.

"Create AWS Lambda proxy integrations for HTTP APIs in API Gateway", with the values of a request of ours.
"""

import base64
from typing import Any
from urllib.parse import urlencode

HOST = "id.execute-api.us-east-1.amazonaws.com"


def event(
    path: str, method: str, query: dict[str, str] | None, body: bytes, headers: dict[str, str]
) -> dict[str, Any]:
    """One. In headers' names `_` is `-`; `cookie` goes where API Gateway has it; a body is in base64."""
    sent = {"host": HOST, "accept": "*/*", "x-forwarded-proto": "https", "x-forwarded-port": "443"}
    sent |= {"x-forwarded-for": "192.0.2.1", "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items() if name != "cookie"}
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": sent,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "domainName": HOST,
            "domainPrefix": "id",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "isBase64Encoded": bool(body),
    }
    if query:
        made["queryStringParameters"] = query
    if "cookie" in headers:
        made["cookies"] = headers["cookie"].split("; ")
    if body:
        made["body"] = base64.b64encode(body).decode()
    return made
