"""Where mailboxes are, in the words of the rules file, every key given."""

from __future__ import annotations

from l7lb.config.nodes import Plain
from l7lb.config.units import format_duration
from l7lb.model_migration import MailStorageSpec


def mail_tree(spec: MailStorageSpec) -> dict[str, Plain]:
    return {
        "storage": {
            **({"path": spec.path} if spec.path else {}),
            **({"roots": dict(spec.roots)} if spec.roots else {}),
            "fence": spec.fence.value,
            "keep_source": format_duration(spec.keep_source_s),
        }
    }
