"""The stacks there are, as data: template, functions, and what each takes of `base`.

To add one: a template whose parameters are `Name`, those of `needs`, and one for each function's zip, which
gets its key in base's bucket; then a row below. `python3 -m tools aws up NAME` does the rest. In a template:

    Parameters:
      Name: {Type: String}
      Bucket: {Type: String}
      UploadCode: {Type: String}
    …
      CodeUri: {Bucket: !Ref Bucket, Key: !Ref UploadCode}      # of AWS::Serverless::Function
      Code: {S3Bucket: !Ref Bucket, S3Key: !Ref UploadCode}     # of AWS::Lambda::Function
      LoggingConfig: {LogGroup: !Ref UploadLog}                 # the stack's own: Lambda's would stay
"""

from dataclasses import dataclass, field
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
BASE = "base"
CAMERA = TOOLS / "examples/camera"
_CAMERA_PAGE = {
    "camera": CAMERA / "service",
    "camera/page/common.css": TOOLS / "phone/page/common.css",
}
_FLASK = ("apig-wsgi", "blinker", "click", "flask", "itsdangerous", "jinja2", "markupsafe", "werkzeug")


@dataclass(frozen=True)
class Function:
    """A Lambda function's code, as tools.aws.bundle packs it.

    Args:
        parameter: the template's, that gets the zip's key in base's bucket.
        modules: by the place in the zip, a file or folder that goes there.
        distributions: installed ones of pure Python, by their names; what they need is named, too.
    """

    parameter: str
    modules: dict[str, Path]
    distributions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Definition:
    """A stack.

    Args:
        text: what it brings, in some words.
        template: CloudFormation's, YAML.
        needs: outputs of `base`; it has parameters of the same names.
        functions: whose code is uploaded first.
        inline: by parameter, a file whose text is its value: at most 4,096 bytes.
        tokens: parameters of SSM below /NAME/, each a secret of its own (tools.aws.tokens).
        endpoint: whether its parameter Endpoint gets the account's own of AWS IoT, which CloudFormation does
            not know; "" where the AWS is not Amazon's.
        own: its stack is called by the name that is given and this; "" is base.
    """

    text: str
    template: Path
    needs: tuple[str, ...] = ()
    functions: tuple[Function, ...] = ()
    inline: dict[str, Path] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    endpoint: bool = False

    def token_names(self, name: str) -> list[str]:
        """SSM's, of the stack with that name."""
        return [f"/{name}/{one}" for one in self.tokens]


STACKS = {
    BASE: Definition(
        "what devices need: provisioning with its hook, policies, roles, bucket, logs",
        TOOLS / "aws/template.yaml",
        inline={"HookSource": TOOLS / "aws/functions/hook.py"},
    ),
    "camera": Definition(
        "the camera's service: functions, their API, pictures",
        CAMERA / "template.yaml",
        needs=("Bucket",),
        functions=(
            Function("PresenceCode", {"camera": CAMERA / "service"}),
            Function("OutcomeCode", {"camera": CAMERA / "service"}),
            Function("PageCode", _CAMERA_PAGE, _FLASK),
        ),
        tokens=("camera/token",),
        endpoint=True,
    ),
    "logs": Definition(
        "the log drain",
        TOOLS / "logs/template.yaml",
        needs=("Bucket", "LogGroup"),
    ),
}


def stack_name(name: str, key: str) -> str:
    """What CloudFormation calls it: base by the name that was given, the others by that and their own."""
    return name if key == BASE else f"{name}-{key}"
