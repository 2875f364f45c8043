"""Pools of workers, behind one interface: processes of this machine, a Dask cluster, or yours."""
