"""Results of commands on encrypted inputs as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designs.spelling import shown


def run(found: Mapping[str, Any]) -> str:
    """Inputs and outputs, whether they are right, and what it took."""
    verdict = "equal to" if found["equal"] else f"DIFFERENT from {_values(found['clear_text'])} of"
    lines = [
        f"inputs       {_values(found['inputs'])}",
        f"outputs      {_values(found['outputs'])}",
        f"compared     {verdict} {found['compared_with']}",
        *([f"checked      the circuit on {n} random inputs"] if (n := found["checked_inputs"]) else []),
        *_execution(found),
        *_key(found),
        *([f"kept         {found['kept']}: inputs, outputs"] if found["kept"] else []),
    ]
    return "\n".join([found["program"], "", *lines])


def compiled(found: Mapping[str, Any]) -> str:
    """Gates, depth and widths of a circuit."""
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in found["gates_by_kind"].items()) or "none"
    lines = [
        f"inputs       {_ports(found['inputs'])}",
        f"outputs      {_ports(found['outputs'])}",
        f"gates        {found['n_gates']:,} that bootstrap ({found['n_bootstraps']:,} bootstraps): {kinds}",
        f"depth        {found['depth']:,}",
        f"width        {found['mean_width']:.1f} on average, {found['widest']:,} at most",
        *([f"written      {found['output']}"] if found["output"] else []),
    ]
    return "\n".join([found["program"], "", *lines])


def keys(found: Mapping[str, Any]) -> str:
    """Where the keys are, and who may have them."""
    return "\n".join(
        [
            f"{found['secret_key']}: secret, encrypts and decrypts; keep it ({found['secret_key_bytes']:,} bytes)",
            f"{found['evaluation_key']}: for who computes ({found['evaluation_key_bytes']:,} bytes)",
            *_key(found),
        ]
    )


def encrypted(found: Mapping[str, Any]) -> str:
    """Where the encrypted inputs are."""
    return "\n".join([f"{found['output']}: {_values(found['inputs'])} ({found['bytes']:,} bytes)", *_key(found)])


def evaluated(found: Mapping[str, Any]) -> str:
    """Where the encrypted outputs are, and what they took."""
    return "\n".join([f"{found['output']}: outputs of {found['program']}", *_execution(found), *_key(found)])


def decrypted(found: Mapping[str, Any]) -> str:
    """The values, one a line."""
    return "\n".join(f"{name} = {_value(value)}" for name, value in found["outputs"].items())


def _execution(found: Mapping[str, Any]) -> list[str]:
    before = f", {found['gates_done_before']:,} of them before" if found["gates_done_before"] else ""
    each = "" if found["ms_per_gate"] is None else f", {found['ms_per_gate']:.3g} ms a gate"
    megabytes = found["peak_ciphertext_bytes"] / 1e6
    threads = f"{found['threads']} thread{'s' * (found['threads'] > 1)}"
    return [
        f"gates        {found['gates']:,} ({found['bootstraps']:,} bootstraps), depth {found['depth']:,}{before}",
        f"time         {found['seconds']:.3g} s{each}, {threads}, {found['arithmetic']} arithmetic",
        f"memory       {found['peak_ciphertexts']:,} ciphertexts at most, {megabytes:.3g} MB",
    ]


def _key(found: Mapping[str, Any]) -> list[str]:
    label = "; INSECURE: made from a seed" if found["insecure"] else ""
    return [
        f"key          {found['key_id'][:16]}, {found['parameters']}: the worst gate fails with probability "
        f"2^{found['gate_failure_log2']:.0f}{label}"
    ]


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in values.items()) or "none"


def _value(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 400 else shown(value)


def _ports(ports: list[dict[str, Any]]) -> str:
    return ", ".join(
        f"{'int' if port['signed'] else 'uint'}{port['bits']} {port['name']}" + "".join(f"[{n}]" for n in port["shape"])
        for port in ports
    )
