#include "sim/models/kubernetes/api/objects.hpp"

#include <array>

namespace sim::k8s {

const char* to_string(Kind kind) {
  constexpr std::array<const char*, kKindCount> kNames = {
      "Node", "Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "Endpoints",
      "PodDisruptionBudget", "PriorityClass", "Namespace", "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "VolumeAttachment", "ResourceQuota", "LimitRange", "HorizontalPodAutoscaler", "Other"};
  return kNames[static_cast<std::size_t>(kind)];
}

const char* to_string(QosClass qos) {
  switch (qos) {
    case QosClass::kBestEffort: return "BestEffort";
    case QosClass::kBurstable: return "Burstable";
    case QosClass::kGuaranteed: return "Guaranteed";
  }
  return "";
}

const char* to_string(PodPhase phase) {
  switch (phase) {
    case PodPhase::kPending: return "Pending";
    case PodPhase::kRunning: return "Running";
    case PodPhase::kSucceeded: return "Succeeded";
    case PodPhase::kFailed: return "Failed";
  }
  return "";
}

const char* to_string(ConditionStatus status) {
  switch (status) {
    case ConditionStatus::kTrue: return "True";
    case ConditionStatus::kFalse: return "False";
    case ConditionStatus::kUnknown: return "Unknown";
  }
  return "";
}

const char* to_string(VolumePhase phase) {
  switch (phase) {
    case VolumePhase::kPending: return "Pending";
    case VolumePhase::kAvailable: return "Available";
    case VolumePhase::kBound: return "Bound";
    case VolumePhase::kReleased: return "Released";
    case VolumePhase::kFailed: return "Failed";
  }
  return "";
}

const char* to_string(ClaimPhase phase) {
  switch (phase) {
    case ClaimPhase::kPending: return "Pending";
    case ClaimPhase::kBound: return "Bound";
    case ClaimPhase::kLost: return "Lost";
  }
  return "";
}

}  // namespace sim::k8s
