"""Whether the settings say all that a run needs, and fit the data: asked before every run, and by doctor.

Values in, an error or nothing out; knows neither network nor database.
"""

from collections.abc import Collection

from xpmsync.config import Config, require
from xpmsync.errors import ConfigurationError


def check_set_up(config: Config, *, practice_id: str | None, office_codes: Collection[str]) -> str:
    """The practice to sync. `practice_id` is the one whose data is there, if there is any.

    Raises ConfigurationError where a setting is missing, or does not fit the data.
    """
    require(config.xero.client_id, "xero.client_id")
    tenant_id = require(config.sync.tenant_id, "sync.tenant_id")
    office = require(config.sync.default_office_code, "sync.default_office_code")
    if practice_id not in (None, tenant_id):
        raise ConfigurationError(
            "The practice in config.toml (sync.tenant_id) is not the one whose data this home holds.",
            "Connect the other practice with another XPMSYNC_HOME, or put the earlier sync.tenant_id back.",
        )
    if office not in office_codes:
        raise ConfigurationError(
            f"The default office {office} (sync.default_office_code) is not an office of Active.",
            "Run: xpmsync configure",
        )
    return tenant_id
