package defaultpreemption

import (
	"context"

	v1 "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

func (pl *DefaultPreemption) SelectVictimsOnNode(ctx context.Context, state fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo, pdbs []*policy.PodDisruptionBudget) ([]*v1.Pod, int, *fwk.Status) {
	nodes, pods, nominated, plugins := []*v1.Node{}, []*v1.Pod{}, []*v1.Pod{}, []string{}
	if infos, err := pl.fh.SnapshotSharedLister().NodeInfos().List(); err == nil {
		for _, info := range infos {
			if info.Node().Name == nodeInfo.Node().Name {
				info = nodeInfo
			}
			nodes = append(nodes, info.Node())
			for _, one := range info.GetPods() {
				placed := one.GetPod().DeepCopy()
				placed.Spec.NodeName = info.Node().Name
				pods = append(pods, placed)
			}
			for _, one := range pl.fh.NominatedPodsForNode(info.Node().Name) {
				promised := one.GetPod().DeepCopy()
				promised.Status.NominatedNodeName = info.Node().Name
				nominated = append(nominated, promised)
			}
		}
	}
	if lists, ok := pl.fh.(interface{ ListPlugins() *config.Plugins }); ok {
		for _, one := range lists.ListPlugins().Filter.Enabled {
			plugins = append(plugins, one.Name)
		}
	}
	victims, violations, status := pl.upstreamSelectVictimsOnNode(ctx, state, pod, nodeInfo, pdbs)
	names := []string{}
	for _, victim := range victims {
		names = append(names, victim.Namespace+"/"+victim.Name)
	}
	starts := []int64{} // in nanoseconds, which JSON leaves out
	for _, one := range pods {
		start := int64(-1)
		if one.Status.StartTime != nil {
			start = one.Status.StartTime.UnixNano()
		}
		starts = append(starts, start)
	}
	machinery.Write("victims", map[string]any{"pod": pod, "node": nodeInfo.Node().Name, "nodes": nodes, "pods": pods, "starts": starts, "nominated": nominated, "budgets": pdbs, "plugins": plugins,
		"code": status.Code().String(), "reasons": status.Reasons(), "victims": names, "violations": violations})
	return victims, violations, status
}
