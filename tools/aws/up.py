"""`aws up`: a stack made or brought up to date, what only boto3 can do, a claim, and the product file."""

import argparse
from pathlib import Path
from typing import Any

from tools.board.consent import ask, check_somebody
from tools.board.errors import BoardError
from tools.fleet import claims
from tools.thing.account import Account
from tools.thing.failures import explained
from tools.thing.output import Cell, Output, note

from . import bucket, bundle, indexing, tokens
from .changes import Plan
from .product import product
from .stack import Stack
from .stacks import BASE, STACKS, Definition, stack_name

_INLINE_BYTES = 4096  # AWS: of a parameter's value


def run(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Run it; the exit status. Raises BoardError."""
    definition = STACKS[args.stack]
    if args.claim:
        claims.check_free(account, args.claim)
        _check_folder(_product_path(args))
    stack = Stack(account, out, stack_name(args.name, args.stack))
    with explained(account.where, "cloudformation"):
        before = stack.parameters()
        base = Stack(account, out, args.name).outputs() if args.stack != BASE else {}
        zips = {one.parameter: bundle.bundle(one.modules, one.distributions) for one in definition.functions}
        parameters = _parameters(definition, args, base) | {name: bundle.key(zips[name]) for name in zips}
        if args.stack == BASE:
            parameters |= _of_base(account, args, before)
        if definition.endpoint:
            parameters["Endpoint"] = account.own_host("iot:Data-ATS")
        plan = stack.prepare(_template(definition), parameters)
        if plan is None:
            note(f"{stack.name}: nothing to change")
        else:
            _agree(stack, plan, args)
            for zipped in zips.values():
                bundle.upload(account, base["Bucket"], zipped)
            tokens.ensure(account, definition.token_names(args.name))
            try:
                stack.execute(plan)
            except BoardError:
                if plan.is_first:  # of which nothing is left
                    tokens.forget(account, definition.token_names(args.name))
                raise
        for name in zips:  # nothing refers to what it was
            if before.get(name) not in (None, parameters[name]):
                bucket.empty(account, base["Bucket"], before[name])
        outputs = stack.outputs()
    if args.stack == BASE and outputs["Indexing"] == indexing.OURS and indexing.is_off(account):
        indexing.switch_on(account)
    value = {"stack": stack.name, "changed": plan is not None, "outputs": outputs}
    rows: list[tuple[Cell, ...]] = list(outputs.items())
    if args.claim:
        path = _claim(account, args, outputs)
        value["product"] = str(path)
        rows.append(("product", f"{path}: next: python3 -m tools phone --product {path}"))
    out.result(value, rows)
    return 0


def _template(definition: Definition) -> str:
    try:
        return definition.template.read_text()
    except OSError as error:
        text = f"{definition.template}: {error.strerror}"
        raise BoardError(text, "It is a part of this project: install it whole.") from None


def _parameters(definition: Definition, args: argparse.Namespace, base: dict[str, str]) -> dict[str, str]:
    """Those that every stack has, and what was told by --set."""
    parameters = {"Name": args.name}
    if missing := [name for name in definition.needs if name not in base]:
        raise BoardError(
            f"stack {args.name!r} is not there, or has no {missing[0]}",
            f"First: python3 -m tools aws up --name {args.name}.",
        )
    parameters |= {name: base[name] for name in definition.needs}
    for name, path in definition.inline.items():
        parameters[name] = path.read_text()
        assert len(parameters[name].encode()) <= _INLINE_BYTES, path
    return parameters | dict(args.set or ())


def _of_base(account: Account, args: argparse.Namespace, before: dict[str, str]) -> dict[str, str]:
    """Who is told of costs; who switches fleet indexing on, which is settled by the first `up`."""
    parameters: dict[str, str] = {}
    if args.email is not None:
        parameters["Email"] = args.email
    if args.budget is not None:
        parameters["BudgetUsd"] = f"{args.budget:g}"
    if "Indexing" not in before:
        parameters["Indexing"] = indexing.OURS if indexing.is_off(account) else indexing.THEIRS
    return parameters


def _agree(stack: Stack, plan: Plan, args: argparse.Namespace) -> None:
    """Show what will be, and ask; BoardError where it shall not be, and then nothing is left of it."""
    try:
        stack.show(plan)
        if not args.yes:
            what = f"{stack.name}: {len(plan.changes)} resources will be changed so"
            check_somebody(what)
            ask(f"{what}.", args.json)
    except BaseException:  # Ctrl-C is a no, too
        stack.discard(plan)
        raise


def _claim(account: Account, args: argparse.Namespace, outputs: dict[str, str]) -> Path:
    """A claim of the batch in a product file."""
    template, path = outputs["ProvisioningTemplate"], _product_path(args)
    content: dict[str, Any] = product(account, template, args.endpoint, args.port, args.root)
    claims.make(account, args.claim, args.until, template, content, path)
    return path


def _product_path(args: argparse.Namespace) -> Path:
    path: Path = args.out or Path(f"{args.claim}.json")
    return path


def _check_folder(path: Path) -> None:
    """Before anything is made for it."""
    if not path.parent.is_dir():
        raise BoardError(f"{path}: there is no folder {path.parent}", "Make it, or name another: --out FILE.")
