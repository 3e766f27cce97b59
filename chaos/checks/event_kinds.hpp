/// Kinds of records that runs write: what a misspelt `event` may have meant. Not all of them, so it is advice and no rule.
#pragma once

#include <string_view>

namespace chaos {

inline constexpr std::string_view kEventKinds[] = {
    "AlertNotified", "AlertResolved", "AlertUnsent", "AlertmanagerGone", "AlertmanagerWorks", "AllocatableExhausted", "ApiServerAvailable",
    "ApiServerUnavailable", "BackOff", "BootForced", "BootstrappedByHand", "BridgedByCache", "BrokerNodeDown", "BrokerPartitioned", "BrokerPaused",
    "BrokerResumed", "CacheExpired", "CachesDropped", "CalculateExpectedPodCountFailed", "CephNetworkCut", "CephNetworkRestored",
    "ClientsServed", "ClusterBootstrapped", "ClusterRestarted", "Completed", "ContainerDied", "ControlPlaneUnwritable", "ControlPlaneWritable", "CpuContended",
    "DaemonStopped", "DeadMansSwitchFed", "DeadMansSwitchPaged", "DeadlineExceeded", "DeletionByPodGC", "DependencyDown", "DependencyUp",
    "DirectReclaim", "DrainFinished", "DrainStarted", "DrainedFailureDomain", "DrainingFailureDomain", "ErrImageNeverPull", "EtcdAlarmCleared",
    "EtcdLeaderElected", "EtcdLeaderLost", "EtcdNoSpace", "EtcdQuorumLost", "EtcdQuorumRegained", "EtcdWritesCommit", "EtcdWritesTimeOut", "Evicted",
    "EvictionBlocked", "EvictionByEvictionAPI", "EvictionThresholdMet", "EvictionsResumed", "EvictionsSuspended", "ExternalProvisioning", "Failed",
    "FailedAttachVolume", "FailedBinding", "FailedCreate", "FailedCreatePodContainer", "FailedDaemonPod", "FailedDetachVolume", "FailedKillPod",
    "FailedMount", "FailedScheduling", "FailedUnmount", "FaultAverted", "FaultEnded", "FaultInjected", "FaultNotInjected", "FlowControlPaused",
    "FlowControlReleased", "ForceDetach", "FreeDiskSpaceFailed", "FsAvailable", "FsUnavailable", "GarbageCollected", "GatewayFull", "GatewayServes",
    "GatewayStarted", "HostBooting", "HostCrashed", "HostHung", "HostNetworkLost", "HostNetworkRestored", "HostPartitioned", "HostPoweredOff",
    "HostReset", "HostUp", "ImagesRemoved", "JobAlreadyActive", "KernelMemoryGrows", "Killing", "KubeletDied", "LeaderElected", "LeaderElection",
    "LeaderElectionLost", "LeaderLost", "LeaseRenewalFailed", "LeaseRenewed", "LeasesExpire", "LeasesRenewed", "MaintenanceFinished", "MaintenancePowerOff", "MaintenanceReboot",
    "MaintenanceStarted", "MdsActive", "MdsClientEvicted", "MdsDamaged", "MdsDeferring", "MdsFailover", "MdsLaggy", "MdsRemoved", "MdsStarted",
    "MdsStopped", "MemberEvicted", "MemberJoining", "MemberSuspected", "MemberSynced", "MemoryCgroupIdsRunOut", "MemoryExhausted", "MemoryLeak",
    "MemoryThrashing", "MemoryThrashingEnded", "MgrActive", "MgrNoneActive", "MgrStarted", "MgrStopped", "MinimumReplicasAvailable",
    "MinimumReplicasUnavailable", "MissSchedule", "MonClockSkew", "MonElection", "MonFailover", "MonFailoverDone", "MonFailoverFailed",
    "MonLeaderLost", "MonQuorum", "MonQuorumLost", "MonStarted", "MonStopped", "MonSynchronizing", "MonmapChanged", "NoPrimaryComponent",
    "NodeCordoned", "NodeDeleted", "NodeHasInsufficientMemory", "NodeNotReady", "NodeReady", "NodeStatusNeverUpdated", "NodeStatusUnknown",
    "NodeTainted", "NodeUncordoned", "NotDeleted", "OOMKilled", "OOMKilling", "OperationDegraded", "OperationImpossible", "OperationPossible", "OsdDiskFailed",
    "OsdDiskFilled", "OsdDiskFreed", "OsdDiskReplaced", "OsdDiskSlow", "OsdDiskStuck", "OsdDown", "OsdFlapping", "OsdFull", "OsdIn", "OsdLost",
    "OsdMarkdownRefused", "OsdOut", "OsdSpaceRegained", "OsdStarted", "OsdStopped", "OsdUp", "OsdmapFlag", "PartitionHealed", "PgDataLost", "PgDown",
    "PgForceCreated", "PgInactive", "PgUnfound", "PgWritesLost", "PlatformServiceDegraded", "PlatformServiceDown", "PlatformServiceUp", "PoolFull",
    "PoolIoBlocked", "PoolIoRestored", "PoolWritable", "PowerLost", "PowerRestored", "Preempted", "PrimaryComponentRestored", "ProbeFailed",
    "ProbeSucceeds", "ProgressDeadlineExceeded", "PrometheusBlocked", "PrometheusWorks", "ProvisioningFailed", "ProvisioningSucceeded",
    "ProxyFailover", "Pulled", "Pulling", "RateLimited", "Rebooted", "RegisteredNode", "RegistryDown", "RegistryUp", "RemovingNode",
    "ReplicaSetCreateError", "RequestsRefused", "RequestsServed", "RequestsThrottled", "SawCompletedJob", "ScalingReplicaSet", "Scheduled", "ServiceHasEndpoints", "ServiceHasNoEndpoints", "Started",
    "Starting", "SuccessfulAttachVolume", "SuccessfulCreate", "SuccessfulDelete", "Suspended", "SystemOOM", "TaintManagerEviction",
    "TooManyMissedTimes", "Unhealthy", "UnmanagedPods", "UnmountHangs", "VmsDied", "VmsEvacuated", "VmsFrozen", "VmsHang", "VmsReachable",
    "VmsResumed", "VmsStarted", "VmsUnreachable", "VolumeFailedDelete", "VolumeIoBlocked", "VolumeIoFails", "VolumeIoResumed", "VolumeMismatch",
    "VolumeReleased", "VolumesFastAgain", "VolumesGoOn", "VolumesHang", "VolumesSlow", "WaitForFirstConsumer", "WaitsForDependencies",
    "ZoneStateChanged",
};

}  // namespace chaos
