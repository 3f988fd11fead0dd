# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys of oVirt's vdsm.conf that have no effect here.

A host that was moved from packages may have them in its files. In the sections of which this vdsm
has settings of its own, each key is listed, of oVirt 3.6 to 4.5. Of the other sections every key is
taken: nothing in them has an effect, so a typing error in them has none either.
"""

from typing import Final

_SECTIONS: Final = """
    devel gluster guest_agent jobs lvm mailbox managedvolume metrics mom multipath performance
    sampling thinp v2v
"""

_KEYS: Final = {
    "vars": """
        broker_enable connection_stats_timeout core_dump_enable cpu_affinity dpdk_enable
        enable_lldp ethtool_opts fake_kvm_architecture fake_kvm_memory fake_kvm_support
        fake_sriov_enable fake_vmstats_enable guest_agent_timeout
        guest_lifecycle_event_reply_timeout hidden_bonds hidden_vlans host_numa_scheduling
        hotunplug_check_interval hotunplug_timeout http_enable jsonrpc_enable
        libvirt_env_variable_debug libvirt_env_variable_log_filters
        libvirt_env_variable_log_outputs max_incoming_migrations max_outgoing_migrations
        migration_create_timeout migration_destination_timeout migration_downtime
        migration_downtime_delay migration_downtime_steps
        migration_listener_prepare_disk_timeout migration_listener_timeout
        migration_max_bandwidth migration_max_time_per_gib_mem migration_monitor_interval
        migration_ovs_hook_enabled migration_progress_timeout migration_retry_timeout
        net_configurator net_nmstate_enabled net_persistence qemu_drive_cache ssl_ciphers
        ssl_excludes ssl_implementation ssl_protocol sys_shutdown_timeout time_sync_cont_enable
        time_sync_snapshot_enable timeout_engine_clear_vms transient_disks_repository
        trust_store_path user_shutdown_timeout vds_responsiveness_timeout vdsm_nice
        verify_client_cert vm_command_timeout vm_kill_paused_time vm_sample_interval
        vm_sample_jobs_interval vm_watermark_interval xmlrpc_enable
    """,
    "addresses": "broker_address broker_port event_queue request_queues",
    "rpc": "worker_timeout",
    "sanlock": "",
    "irs": """
        enable_block_threshold_event free_lock_cmd gc_blocker_force_collect_interval hsm_tasks
        images irs_enable irsd iscsi_default_ifaces lock_cmd lock_util_path lvm_dev_whitelist
        max_ioprocess_idle_time max_tasks maximum_allowed_pvs maximum_domains_in_pool
        md_backup_dir md_backup_versions prepare_image_timeout
        process_pool_max_queued_slots_per_domain process_pool_max_slots_per_domain
        process_pool_timeout progress_interval qcow2_compat repo_stats_cache_refresh_timeout
        repository scsi_rescan_maximal_timeout sd_health_check_delay
        task_resource_default_timeout thread_pool_size udev_settle_timeout use_volume_leases
        vol_size_sample_interval volume_utilization_chunk_mb volume_utilization_percent
    """,
}

_WITHOUT_EFFECT: Final = frozenset(_SECTIONS.split())
_NAMES: Final = {section: frozenset(keys.split()) for section, keys in _KEYS.items()}


def knows(section: str, key: str) -> bool:
    """Return whether oVirt has this key and it means nothing here.

    `ethtool_opts.NAME` is oVirt's way to write the options of one NIC.
    """
    if section in _WITHOUT_EFFECT:
        return True
    return key.partition(".")[0] in _NAMES.get(section, ()) and (
        "." not in key or key.startswith("ethtool_opts.")
    )
