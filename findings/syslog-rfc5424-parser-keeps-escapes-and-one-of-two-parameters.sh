#!/usr/bin/env bash
# Guess:    a parser called after RFC 5424 gives the values that a message's sender had.
# Reality:  a quote or a bracket in a parameter keeps the backslash that the RFC puts before it; of a parameter that comes
#           twice in an element, as the RFC allows and its own "origin" does with "ip", only the last is left; the mark that
#           says UTF-8 is a part of the text; and of the fields that may be nil two are None then, three are "-".
# Version:  syslog-rfc5424-parser 0.3.2 (PyPI)
# Source:   RFC 5424, 6.3.3 (escapes; the same parameter more than once), 6.4 (BOM), 6.2.3 (NILVALUE), 7.2 (origin, ip)
# Whom:     log drains that filter or forward by structured data: what they compare is not what was sent, a host with two
#           addresses has one, and nobody's name is a hyphen.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check syslog-rfc5424-parser==0.3.2
cat >look.py <<'PY'
from syslog_rfc5424_parser import SyslogMessage

HEAD = "<165>1 2026-11-29T10:00:00Z lamp app - -"


def read(text):
    return SyslogMessage.parse(text).as_dict()


for value in (r"5\" pipe", r"a\]b", r"a\\b"):
    print("sent", value, "read", read(f'{HEAD} [x@1 v="{value}"] on')["sd"]["x@1"]["v"])
print("two addresses:", read(f'{HEAD} [origin ip="192.0.2.1" ip="192.0.2.129"] on')["sd"]["origin"])
print("text:", ascii(read(f"{HEAD} - \ufeffon")["msg"]))
nil = read("<165>1 - - - - - - on")
names = ("timestamp", "hostname", "appname", "procid", "msgid")
print("nil:", [nil[name] and str(nil[name]) for name in names])
PY
timeout 60 venv/bin/python look.py | tee seen
diff seen - <<'END'
sent 5\" pipe read 5\" pipe
sent a\]b read a\]b
sent a\\b read a\\b
two addresses: {'ip': '192.0.2.129'}
text: '\ufeffon'
nil: ['-', '-', '-', None, None]
END
