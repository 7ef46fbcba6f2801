"""What can go wrong with caches. None of it reaches a program: who asks a cache gets a hit or a miss.

CacheError
├── InvalidCache       the caller's: a setting, or a way to name entries, that cannot be
├── NotCacheable       the call's: a value in it has no meaning outside its run
└── StoreError         the folder, the disk, or what is in them
    ├── StoreMissing   there is no cache in the folder
    ├── StoreInUse     another live process writes to it
    ├── StoreFull      no room left on the disk, or none that the cache may use
    └── StoreDamaged   not what this version wrote: damaged, or of another format
"""

from __future__ import annotations


class CacheError(Exception):
    """Anything that is wrong with a cache."""


class InvalidCache(CacheError):
    """A setting or a selection that cannot be."""


class NotCacheable(CacheError):
    """A call or a result that no cache can hold."""


class StoreError(CacheError):
    """The folder cannot be used."""


class StoreMissing(StoreError):
    """There is no cache in the folder."""


class StoreInUse(StoreError):
    """Another live process, or this one, has the folder open already."""


class StoreFull(StoreError):
    """Nothing more can be written. What was committed before stays."""


class StoreDamaged(StoreError):
    """Bytes that this version did not write."""
