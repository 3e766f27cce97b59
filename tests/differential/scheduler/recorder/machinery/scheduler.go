package scheduler

import (
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

func (sched *Scheduler) numFeasibleNodesToFind(percentageOfNodesToScore *int32, numAllNodes int32) (numNodes int32) {
	result := sched.upstreamNumFeasibleNodesToFind(percentageOfNodesToScore, numAllNodes)
	percentage := sched.percentageOfNodesToScore
	if percentageOfNodesToScore != nil {
		percentage = *percentageOfNodesToScore
	}
	machinery.Write("numFeasible", map[string]any{"percentage": percentage, "nodes": numAllNodes, "result": result})
	return result
}

func newSortedNodeScores(nodeScoreList []fwk.NodePluginScores) *sortedNodeScores {
	totals, randomizers := []int64{}, 0
	for _, one := range nodeScoreList {
		totals = append(totals, one.TotalScore)
		if one.Randomizer != 0 {
			randomizers++
		}
	}
	if len(nodeScoreList) != 0 {
		same := append([]fwk.NodePluginScores{}, nodeScoreList...)
		first, place := upstreamNewSortedNodeScores(same).Pop(), 0
		for i, one := range nodeScoreList {
			if one.Name == first {
				place = i
			}
		}
		machinery.Write("best", map[string]any{"totals": totals, "randomizers": randomizers, "place": place})
	}
	return upstreamNewSortedNodeScores(nodeScoreList)
}
