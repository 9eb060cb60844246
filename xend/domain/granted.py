"""What a new domain is granted: its share of the host's CPUs, and its terms with the store."""

from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.config.share import Share
from xend.config.terms import StoreTerms
from xend.errors import XendError
from xend.hypervisor import Hypervisor
from xend.hypervisor.scheduling import CreditParameters, Parameters, RealTimeParameters
from xend.store_features import store_features
from xenstore.errors import XenstoreError

__all__ = ["check_terms", "grant_share", "grant_terms"]


async def grant_share(hypervisor: Hypervisor, domid: int, share: Share) -> list[str]:
    """Give a domain its share; returns the options that its scheduler has not, and that ask for something.

    Raises:
        HypervisorError: as `Control.set_parameters`, or the scheduler has no parameters.
    """
    before = await hypervisor.parameters(domid)
    after, without = _changed(before, share)
    if after != before:
        await hypervisor.set_parameters(domid, after)
    return without


def _changed(now: Parameters, share: Share) -> tuple[Parameters, list[str]]:
    """What it has from now on, and the options that are another scheduler's."""
    without: dict[str, object]
    if isinstance(now, CreditParameters):
        weight = now.weight if share.weight is None else share.weight
        after: Parameters = CreditParameters(weight=weight, cap=now.cap if share.cap is None else share.cap)
        without = {"period": share.period_us, "extratime": share.extra_time}
    else:
        after = RealTimeParameters(
            period_us=now.period_us if share.period_us is None else share.period_us,
            budget_us=now.budget_us,
            extra_time=now.extra_time if share.extra_time is None else share.extra_time,
        )
        without = {"cpu_weight": share.weight, "cap": share.cap}
    return after, [name for name, value in without.items() if value]


async def check_terms(store: Client, terms: StoreTerms, name: str) -> None:
    """See that the store can do what is asked of it.

    Raises:
        XendError: unsupported: the store has no such things of single domains; bad_config: none of this name.
    """
    try:
        offered = 0 if terms.features is None else await store_features(store)
        quotas = await store.quota_names() if terms.quotas else []
    except (XenstoreError, ClientError) as error:
        raise _no_terms(name, str(error)) from error
    if offered is None:
        raise _no_terms(name, "it tells of no features")
    if terms.features is not None and terms.features & ~offered:
        raise XendError(
            "bad_config",
            f"xenstore_feature_mask = {terms.features:#x}: this xenstored offers {offered:#x}; "
            "expected some of these bits, or none",
            domain=name,
        )
    unknown = [quota for quota in terms.quotas if quota not in quotas]
    if unknown:
        raise XendError(
            "bad_config",
            f"xenstore_quota holds {unknown[0]}, expected one of {', '.join(quotas)}",
            domain=name,
        )


def _no_terms(name: str, cause: str) -> XendError:
    return XendError(
        "unsupported",
        "this xenstored has no features and quotas of single domains",
        domain=name,
        cause=cause,
        hint="leave xenstore_feature_mask and xenstore_quota out, or use xend's own xenstored",
    )


async def grant_terms(store: Client, domid: int, terms: StoreTerms) -> None:
    """Tell the store of a domain that it is not connected to yet.

    Raises:
        XenstoreError, ClientError.
    """
    if terms.features is not None:
        await store.set_feature(domid, terms.features)
    for quota, value in terms.quotas.items():
        await store.set_quota(quota, value, domid)
