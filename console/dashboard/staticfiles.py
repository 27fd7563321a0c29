from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedModulesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # a package without types
    """File names with hashes, also in the imports of JavaScript modules: else a module stays stale in caches."""

    support_js_module_import_aggregation = True
