package main

import (
	"fmt"
	"math"
	"sort"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	extenderv1 "k8s.io/kube-scheduler/extender/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/preemption"
	"k8s.io/kubernetes/pkg/scheduler/util"
)

type verdict struct {
	Plugin  string   `json:"plugin,omitempty"`
	Code    string   `json:"code"`
	Reasons []string `json:"reasons"`
}

type score struct {
	Raw        int64 `json:"raw"`
	Normalised int64 `json:"normalised"`
}

type nodeOutput struct {
	Filters map[string]*verdict `json:"filters,omitempty"` // plugins that reject, each asked alone
	Verdict *verdict            `json:"verdict,omitempty"` // the first rejection, nominated pods considered
	Scores  map[string]score    `json:"scores,omitempty"`
	Total   *int64              `json:"total,omitempty"`
}

type candidateOutput struct {
	Victims    []string `json:"victims"`
	Violations int64    `json:"violations"`
}

type preemptionOutput struct {
	Candidates map[string]*candidateOutput `json:"candidates,omitempty"`
	Node       string                      `json:"node,omitempty"`
	Victims    []string                    `json:"victims,omitempty"`
}

type cycleOutput struct {
	Pod        string                 `json:"pod"`
	Attempt    int                    `json:"attempt"`
	PreFilter  *verdict               `json:"preFilter,omitempty"`
	Nodes      map[string]*nodeOutput `json:"nodes"`
	Examined   int                    `json:"examined"`
	Feasible   int                    `json:"feasible"`
	Best       []string               `json:"best,omitempty"`
	Node       string                 `json:"node,omitempty"`
	Preemption *preemptionOutput      `json:"preemption,omitempty"`
	Message    string                 `json:"message,omitempty"`
	// The cycle ended with an error of a plugin, not with a verdict.
	Failed bool `json:"failed,omitempty"`
	// Of the oracle itself: the real choice lay outside the set of equals. Never seen unless the oracle is wrong.
	Problem string `json:"problem,omitempty"`
}

func toVerdict(status *fwk.Status, withPlugin bool) *verdict {
	result := &verdict{Code: status.Code().String(), Reasons: status.Reasons()}
	if withPlugin {
		result.Plugin = status.Plugin()
	}
	if result.Reasons == nil {
		result.Reasons = []string{}
	}
	return result
}

func (w *world) run(input cycleInput) (*cycleOutput, error) {
	known, ok := w.pods[input.Pod]
	if !ok {
		return nil, fmt.Errorf("no such pod, or it was preempted")
	}
	if known.Spec.NodeName != "" {
		return nil, fmt.Errorf("is bound to %s", known.Spec.NodeName)
	}
	pod := known.DeepCopy()
	pod.Status.NominatedNodeName = w.nominated[input.Pod]
	output := &cycleOutput{Pod: input.Pod, Attempt: input.Attempt, Nodes: map[string]*nodeOutput{}}
	fw, err := w.framework(pod)
	if err != nil {
		return nil, err
	}
	snapshot, err := w.snapshot(fw)
	if err != nil {
		return nil, err
	}
	nodes, err := snapshot.NodeInfos().List()
	if err != nil {
		return nil, err
	}
	start := w.nextStart()
	info, err := framework.NewPodInfo(pod)
	if err != nil {
		return nil, err
	}
	queued := &framework.QueuedPodInfo{PodInfo: info}

	// The real decision.
	state := framework.NewCycleState()
	result, err := w.sched.SchedulePod(w.ctx, fw, state, queued)
	if err == scheduler.ErrNoNodesAvailable {
		output.Message = err.Error()
		return output, nil
	}
	fitError, isFitError := err.(*framework.FitError)
	if err != nil && !isFitError {
		// As handleSchedulingFailure tells it; the pod is tried again after a back-off. What each plugin says of the nodes is not asked.
		output.Message = err.Error()
		output.Failed = true
		return output, nil
	}

	// What each plugin says, asked one by one with the same state.
	asked := framework.NewCycleState()
	preResult, preStatus, _ := fw.RunPreFilterPlugins(w.ctx, asked, pod)
	if !preStatus.IsSuccess() {
		output.PreFilter = toVerdict(preStatus, true)
	} else {
		w.askFilters(fw, asked, pod, nodes, output)
	}

	if fitError != nil {
		output.Examined = fitError.Diagnosis.NodeToStatus.Len()
		err := w.fail(fw, state, pod, input, output, fitError, nodes, start)
		return output, err
	}
	output.Examined = result.EvaluatedNodes
	output.Feasible = result.FeasibleNodes
	byName := !preResult.AllNodes()
	chosen, err := w.askScores(fw, asked, pod, nodes, start, preResult, output)
	if err != nil {
		return nil, err
	}
	if !sets.New(output.Best...).Has(result.SuggestedHost) {
		output.Problem = fmt.Sprintf("the real scheduler chose %s, which is not among %v", result.SuggestedHost, output.Best)
	}
	output.Node = result.SuggestedHost
	if byName {
		output.Node = chosen
	} else if chosen != result.SuggestedHost {
		output.Problem = fmt.Sprintf("the real scheduler chose %s, the heap over the visit order says %s", result.SuggestedHost, chosen)
	}
	return output, w.bind(fw, state, pod, output.Node)
}

func (w *world) askFilters(fw framework.Framework, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo, output *cycleOutput) {
	skipped := state.GetSkipFilterPlugins()
	all := sets.New[string]()
	for _, p := range fw.ListPlugins().Filter.Enabled {
		all.Insert(p.Name)
	}
	for _, node := range nodes {
		name := node.Node().Name
		entry := &nodeOutput{}
		for p := range all {
			if skipped.Has(p) {
				continue
			}
			others := all.Clone()
			others.Delete(p)
			state.SetSkipFilterPlugins(others)
			if status := fw.RunFilterPlugins(w.ctx, state, pod, node); !status.IsSuccess() {
				if entry.Filters == nil {
					entry.Filters = map[string]*verdict{}
				}
				entry.Filters[p] = toVerdict(status, false)
			}
		}
		state.SetSkipFilterPlugins(skipped)
		if status := fw.RunFilterPluginsWithNominatedPods(w.ctx, state, pod, node); !status.IsSuccess() {
			entry.Verdict = toVerdict(status, true)
		}
		if entry.Filters != nil || entry.Verdict != nil {
			output.Nodes[name] = entry
		}
	}
	state.SetSkipFilterPlugins(skipped)
}

// askScores scores the nodes that the real scheduler found, and says which of them wins by the heap's rule.
func (w *world) askScores(fw framework.Framework, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo, start int, preResult *fwk.PreFilterResult, output *cycleOutput) (string, error) {
	fits := func(node fwk.NodeInfo) bool {
		entry := output.Nodes[node.Node().Name]
		return entry == nil || entry.Verdict == nil
	}
	if !preResult.AllNodes() {
		// The set of names, a map there, in the order of names.
		var named []fwk.NodeInfo
		for _, name := range sets.List(preResult.NodeNames) {
			for _, node := range nodes {
				if node.Node().Name == name {
					named = append(named, node)
				}
			}
		}
		nodes = named
	}
	var feasible []fwk.NodeInfo
	if pod.Status.NominatedNodeName != "" {
		for _, node := range nodes {
			if node.Node().Name == pod.Status.NominatedNodeName && fits(node) && output.Examined == 1 {
				feasible = append(feasible, node)
			}
		}
	}
	if feasible == nil {
		for i := range nodes {
			node := nodes[(start+i)%len(nodes)]
			if fits(node) && len(feasible) < output.Feasible {
				feasible = append(feasible, node)
			}
		}
	}
	if len(feasible) != output.Feasible {
		return "", fmt.Errorf("%d nodes fit one by one, %d in the real cycle", len(feasible), output.Feasible)
	}
	if len(feasible) == 1 {
		output.Best = []string{feasible[0].Node().Name}
		return output.Best[0], nil
	}
	if status := fw.RunPreScorePlugins(w.ctx, state, pod, feasible); !status.IsSuccess() {
		return "", status.AsError()
	}
	weighted, status := fw.RunScorePlugins(w.ctx, state, pod, feasible)
	if !status.IsSuccess() {
		return "", status.AsError()
	}
	weights := private[map[string]int](fw, "scorePluginWeight")
	plugins := map[string]fwk.ScorePlugin{}
	for _, p := range private[[]fwk.ScorePlugin](fw, "scorePlugins") {
		plugins[p.Name()] = p
	}
	best := int64(math.MinInt64)
	for i := range weighted {
		entry := output.Nodes[weighted[i].Name]
		if entry == nil {
			entry = &nodeOutput{}
			output.Nodes[weighted[i].Name] = entry
		}
		total := weighted[i].TotalScore
		entry.Total = &total
		entry.Scores = map[string]score{}
		for _, s := range weighted[i].Scores {
			raw, status := plugins[s.Name].Score(w.ctx, state, pod, feasible[i])
			if !status.IsSuccess() {
				return "", status.AsError()
			}
			entry.Scores[s.Name] = score{Raw: raw, Normalised: s.Score / int64(weights[s.Name])}
		}
		best = max(best, total)
	}
	winners := make([]int, len(weighted))
	for i := range weighted {
		if weighted[i].TotalScore == best {
			output.Best = append(output.Best, weighted[i].Name)
		}
	}
	for place := len(weighted) - 1; place >= 0; place-- {
		winners[place] = place
		if left := 2*place + 1; left < len(weighted) {
			child := winners[left]
			if left+1 < len(weighted) && weighted[winners[left+1]].TotalScore > weighted[child].TotalScore {
				child = winners[left+1]
			}
			if weighted[child].TotalScore > weighted[place].TotalScore {
				winners[place] = child
			}
		}
	}
	sort.Strings(output.Best)
	return weighted[winners[0]].Name, nil
}

// fail follows schedulingAlgorithm after a FitError, and Evaluator.Preempt up to the choice; nothing is sent anywhere.
func (w *world) fail(fw framework.Framework, state fwk.CycleState, pod *v1.Pod, input cycleInput, output *cycleOutput, fitError *framework.FitError, nodes []fwk.NodeInfo, start int) error {
	pl, ok := w.preemption(fw)
	if !ok {
		output.Message = fitError.Error()
		return nil
	}
	finish := func(message string) {
		if message != "" {
			fitError.Diagnosis.PostFilterMsg = "preemption: " + message
		}
		output.Message = fitError.Error()
	}
	statuses := fitError.Diagnosis.NodeToStatus
	if eligible, why := pl.PodEligibleToPreemptOthers(w.ctx, pod, statuses.Get(pod.Status.NominatedNodeName)); !eligible {
		finish(why)
		return nil
	}
	// In the order of visits; the order of a map there.
	var potential []fwk.NodeInfo
	for i := range nodes {
		node := nodes[(start+i)%len(nodes)]
		if statuses.Get(node.Node().Name).Code() == fwk.Unschedulable {
			potential = append(potential, node)
		}
	}
	var candidates []preemption.Candidate
	explained := framework.NewDefaultNodeToStatus()
	if len(potential) != 0 {
		budgets, err := pl.Evaluator.PdbLister.List(labels.Everything())
		if err != nil {
			return err
		}
		_, wanted := pl.GetOffsetAndNumCandidates(int32(len(potential)))
		candidates, explained, err = pl.Evaluator.DryRunPreemption(w.ctx, state, pod, potential, budgets, input.Offset%int32(len(potential)), wanted)
		if err != nil && len(candidates) == 0 {
			return err
		}
	}
	if len(candidates) == 0 {
		inner := &framework.FitError{Pod: pod, NumAllNodes: len(nodes), Diagnosis: framework.Diagnosis{NodeToStatus: explained}}
		explained.SetAbsentNodesStatus(fwk.NewStatus(fwk.UnschedulableAndUnresolvable, "Preemption is not helpful for scheduling"))
		finish(inner.Error())
		w.clearNomination(pod)
		return nil
	}
	output.Preemption = &preemptionOutput{Candidates: map[string]*candidateOutput{}}
	victims := map[string]*extenderv1.Victims{}
	for _, c := range candidates {
		entry := &candidateOutput{Violations: c.Victims().NumPDBViolations}
		for _, victim := range c.Victims().Pods {
			entry.Victims = append(entry.Victims, key(victim))
		}
		output.Preemption.Candidates[c.Name()] = entry
		victims[c.Name()] = c.Victims()
	}
	chosen := firstOfEquals(victims)
	real := pl.Evaluator.SelectCandidate(w.ctx, candidates).Name()
	if !harm(victims[real]).equals(harm(victims[chosen])) {
		output.Problem = fmt.Sprintf("the real scheduler preempts on %s, this program on %s", real, chosen)
	}
	output.Preemption.Node = chosen
	output.Preemption.Victims = output.Preemption.Candidates[chosen].Victims
	finish("")

	// What the executor does: lower nominations give way, victims go, the pod is nominated.
	for _, other := range fw.NominatedPodsForNode(chosen) {
		if corev1helpers.PodPriority(other.GetPod()) < corev1helpers.PodPriority(pod) {
			w.clearNomination(other.GetPod())
		}
	}
	for _, victim := range victims[chosen].Pods {
		if err := w.remove(victim); err != nil {
			return err
		}
	}
	w.nominate(pod, chosen)
	return nil
}

func (w *world) nominate(pod *v1.Pod, node string) {
	w.clearNomination(pod)
	w.nominated[key(pod)] = node
	nominee := pod.DeepCopy()
	nominee.Status.NominatedNodeName = node
	info, err := framework.NewPodInfo(nominee)
	if err != nil {
		panic(err)
	}
	// The queue holds it, as it does in the real scheduler: a nominated pod that it does not know would count without its requests.
	w.sched.SchedulingQueue.Add(w.ctx, nominee)
	w.sched.SchedulingQueue.AddNominatedPod(w.logger, info, &fwk.NominatingInfo{NominatingMode: fwk.ModeOverride, NominatedNodeName: node})
}

func (w *world) clearNomination(pod *v1.Pod) {
	if w.nominated[key(pod)] == "" {
		return
	}
	delete(w.nominated, key(pod))
	w.sched.SchedulingQueue.Delete(pod)
}

var began = time.Now()

// damage is what pickOneNodeForPreemption compares, the smaller the better.
type damage [5]int64

func (d damage) equals(other damage) bool { return d == other }

func (d damage) less(other damage) bool {
	for i := range d {
		if d[i] != other[i] {
			return d[i] < other[i]
		}
	}
	return false
}

func harm(victims *extenderv1.Victims) damage {
	result := damage{victims.NumPDBViolations, int64(corev1helpers.PodPriority(victims.Pods[0])), 0, int64(len(victims.Pods)), 0}
	for _, pod := range victims.Pods {
		result[2] += int64(corev1helpers.PodPriority(pod)) + int64(math.MaxInt32+1)
	}
	// Pods that have not started count as started now, which is another moment for each node: they are equals.
	if start := util.GetEarliestPodStartTime(victims); start.After(began) {
		result[4] = math.MinInt64
	} else {
		result[4] = -start.UnixNano()
	}
	return result
}

// firstOfEquals: the least harm, and the first name among equals (a random one there).
func firstOfEquals(all map[string]*extenderv1.Victims) string {
	best := ""
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if best == "" || harm(all[name]).less(harm(all[best])) {
			best = name
		}
	}
	return best
}
