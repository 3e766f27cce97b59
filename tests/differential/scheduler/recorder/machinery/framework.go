package framework

import (
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

func (f *FitError) Error() string {
	message := f.upstreamError()
	if !machinery.On("framework") {
		return message
	}
	reasons := map[string]int{}
	f.Diagnosis.NodeToStatus.ForEachExplicitNode(func(_ string, status *fwk.Status) {
		for _, reason := range status.Reasons() {
			reasons[reason]++
		}
	})
	for _, reason := range f.Diagnosis.NodeToStatus.AbsentNodesStatus().Reasons() {
		reasons[reason] += f.NumAllNodes - f.Diagnosis.NodeToStatus.Len()
	}
	machinery.Write("fitError", map[string]any{"nodes": f.NumAllNodes, "reasons": reasons, "preFilter": f.Diagnosis.PreFilterMsg, "postFilter": f.Diagnosis.PostFilterMsg, "message": message})
	return message
}

func (pi *PodInfo) CalculateResource() fwk.PodResource {
	result := pi.upstreamCalculateResource()
	if !machinery.On("framework") {
		return result
	}
	scalars := map[string]int64{}
	for name, amount := range result.Resource.GetScalarResources() {
		scalars[string(name)] = amount
	}
	machinery.Write("requests", map[string]any{"pod": pi.Pod, "cpu": result.Resource.GetMilliCPU(), "memory": result.Resource.GetMemory(), "ephemeral": result.Resource.GetEphemeralStorage(),
		"scalars": scalars, "nonzeroCPU": result.Non0CPU, "nonzeroMemory": result.Non0Mem,
		"podLevel": utilfeature.DefaultFeatureGate.Enabled(features.PodLevelResources), "resize": utilfeature.DefaultFeatureGate.Enabled(features.InPlacePodVerticalScaling)})
	return result
}
