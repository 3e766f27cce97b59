package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	configscheme "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	configvalidation "k8s.io/kubernetes/pkg/scheduler/apis/config/validation"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumebinding"
	"k8s.io/kubernetes/pkg/scheduler/profile"
)

const (
	annSelectedNode  = "volume.kubernetes.io/selected-node"
	annBindCompleted = "pv.kubernetes.io/bind-completed"
)

var workers int32 = 1

type world struct {
	ctx       context.Context
	cancel    context.CancelFunc
	logger    klog.Logger
	factory   informers.SharedInformerFactory
	sched     *scheduler.Scheduler
	pods      map[string]*v1.Pod // those that are known: pending ones as they were given, others as they are bound
	pending   []string           // by priority, then in the order of the input
	nominated map[string]string
}

// private reads a field that upstream does not export.
func private[T any](object any, field string) T {
	value := reflect.ValueOf(object).Elem().FieldByName(field)
	return reflect.NewAt(value.Type(), unsafe.Pointer(value.UnsafeAddr())).Elem().Interface().(T)
}

func key(pod *v1.Pod) string { return pod.Namespace + "/" + pod.Name }

// admitted is the pod as the API server would store it.
func admitted(pod *v1.Pod) {
	// plugin/pkg/admission/defaulttolerationseconds
	for _, taint := range []string{v1.TaintNodeNotReady, v1.TaintNodeUnreachable} {
		has := false
		for _, t := range pod.Spec.Tolerations {
			if (t.Key == taint || t.Key == "") && (t.Effect == v1.TaintEffectNoExecute || t.Effect == "") {
				has = true
			}
		}
		if !has {
			seconds := int64(300)
			defer func(taint string) {
				pod.Spec.Tolerations = append(pod.Spec.Tolerations, v1.Toleration{Key: taint, Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoExecute, TolerationSeconds: &seconds})
			}(taint)
		}
	}
	// pkg/registry/core/pod/strategy.go, mutatePodAffinity and mutateTopologySpreadConstraints
	merge := func(selector *metav1.LabelSelector, keys []string, operator metav1.LabelSelectorOperator) {
		for _, k := range keys {
			if value, ok := pod.Labels[k]; ok && selector != nil {
				selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{Key: k, Operator: operator, Values: []string{value}})
			}
		}
	}
	term := func(t *v1.PodAffinityTerm) {
		merge(t.LabelSelector, t.MatchLabelKeys, metav1.LabelSelectorOpIn)
		merge(t.LabelSelector, t.MismatchLabelKeys, metav1.LabelSelectorOpNotIn)
	}
	if a := pod.Spec.Affinity; a != nil {
		if a.PodAffinity != nil {
			for i := range a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
				term(&a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i])
			}
			for i := range a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				term(&a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i].PodAffinityTerm)
			}
		}
		if a.PodAntiAffinity != nil {
			for i := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
				term(&a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i])
			}
			for i := range a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				term(&a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i].PodAffinityTerm)
			}
		}
	}
	for i := range pod.Spec.TopologySpreadConstraints {
		merge(pod.Spec.TopologySpreadConstraints[i].LabelSelector, pod.Spec.TopologySpreadConstraints[i].MatchLabelKeys, metav1.LabelSelectorOpIn)
	}
}

func decode(raw json.RawMessage) (runtime.Object, error) {
	object, _, err := clientscheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
	if err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(object)
	accessor, err := metaOf(object)
	if err != nil {
		return nil, err
	}
	namespaced := true
	switch object.(type) {
	case *v1.Node, *v1.Namespace, *v1.PersistentVolume, *storagev1.StorageClass, *storagev1.CSINode, *storagev1.CSIDriver, *storagev1.VolumeAttachment:
		namespaced = false
	}
	if namespaced && accessor.GetNamespace() == "" {
		accessor.SetNamespace("default")
	}
	if accessor.GetUID() == "" {
		accessor.SetUID(types.UID(fmt.Sprintf("%T/%s/%s", object, accessor.GetNamespace(), accessor.GetName())))
	}
	accessor.SetResourceVersion("1")
	return object, nil
}

func metaOf(object runtime.Object) (metav1.Object, error) {
	accessor, ok := object.(metav1.Object)
	if !ok {
		return nil, fmt.Errorf("%T has no metadata", object)
	}
	return accessor, nil
}

func options(raw json.RawMessage) ([]scheduler.Option, error) {
	// One worker: the visit order is the order of the list, as with --parallelism 1.
	result := []scheduler.Option{scheduler.WithParallelism(workers)}
	if len(raw) == 0 {
		return result, nil
	}
	object, _, err := configscheme.Codecs.UniversalDecoder().Decode(raw, nil, nil)
	if err != nil {
		return nil, err
	}
	cfg, ok := object.(*config.KubeSchedulerConfiguration)
	if !ok {
		return nil, fmt.Errorf("%T is no KubeSchedulerConfiguration", object)
	}
	if err := configvalidation.ValidateKubeSchedulerConfiguration(cfg); err != nil {
		return nil, err
	}
	return append(result, scheduler.WithProfiles(cfg.Profiles...), scheduler.WithPercentageOfNodesToScore(cfg.PercentageOfNodesToScore)), nil
}

func newWorld(input *clusterInput, more ...scheduler.Option) (*world, error) {
	w := &world{pods: map[string]*v1.Pod{}, nominated: map[string]string{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.logger = klog.FromContext(w.ctx)
	var nodes []*v1.Node
	var pods []*v1.Pod
	var others []runtime.Object
	for _, raw := range input.Objects {
		object, err := decode(raw)
		if err != nil {
			return nil, err
		}
		switch o := object.(type) {
		case *v1.Node:
			nodes = append(nodes, o)
		case *v1.Pod:
			admitted(o)
			pods = append(pods, o)
		default:
			others = append(others, o)
		}
	}
	opts, err := options(input.Config)
	if err != nil {
		return nil, err
	}
	opts = append(opts, more...)
	// Nobody is behind this client: informers are never started, their stores are filled by hand.
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://nobody"})
	if err != nil {
		return nil, err
	}
	w.factory = informers.NewSharedInformerFactory(client, 0)
	recorder := profile.NewRecorderFactory(events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()}))
	w.sched, err = scheduler.New(w.ctx, client, w.factory, nil, recorder, opts...)
	if err != nil {
		return nil, err
	}
	for _, object := range others {
		store, err := w.storeOf(object)
		if err != nil {
			return nil, err
		}
		if err := store.Add(object); err != nil {
			return nil, err
		}
	}
	for _, node := range nodes {
		w.sched.Cache.AddNode(w.logger, node)
		if err := w.factory.Core().V1().Nodes().Informer().GetIndexer().Add(node); err != nil {
			return nil, err
		}
	}
	for _, pod := range pods {
		if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
			continue
		}
		w.pods[key(pod)] = pod
		if err := w.factory.Core().V1().Pods().Informer().GetIndexer().Add(pod); err != nil {
			return nil, err
		}
		if pod.Spec.NodeName != "" {
			if err := w.sched.Cache.AddPod(w.logger, pod); err != nil {
				return nil, err
			}
		} else {
			w.pending = append(w.pending, key(pod))
		}
	}
	for _, pod := range pods {
		// As the queue's Add has it: gated pods, and those of other schedulers, are promised nothing.
		_, ours := w.sched.Profiles[pod.Spec.SchedulerName]
		if ours && pod.Spec.NodeName == "" && pod.Status.NominatedNodeName != "" && len(pod.Spec.SchedulingGates) == 0 {
			w.nominate(pod, pod.Status.NominatedNodeName)
		}
	}
	return w, nil
}

func (w *world) close() {
	w.cancel()
	w.sched.SchedulingQueue.Close()
}

// plugin finds an instance of the framework by its type.
func plugin[T any, P any](fw framework.Framework, point string) (T, bool) {
	for _, candidate := range private[[]P](fw, point) {
		if found, ok := any(candidate).(T); ok {
			return found, true
		}
	}
	var none T
	return none, false
}

func (w *world) storeOf(object runtime.Object) (cache.Indexer, error) {
	f := w.factory
	switch object.(type) {
	case *v1.Namespace:
		return f.Core().V1().Namespaces().Informer().GetIndexer(), nil
	case *v1.Service:
		return f.Core().V1().Services().Informer().GetIndexer(), nil
	case *v1.PersistentVolume:
		return f.Core().V1().PersistentVolumes().Informer().GetIndexer(), nil
	case *v1.PersistentVolumeClaim:
		return f.Core().V1().PersistentVolumeClaims().Informer().GetIndexer(), nil
	case *appsv1.ReplicaSet:
		return f.Apps().V1().ReplicaSets().Informer().GetIndexer(), nil
	case *appsv1.StatefulSet:
		return f.Apps().V1().StatefulSets().Informer().GetIndexer(), nil
	case *policyv1.PodDisruptionBudget:
		return f.Policy().V1().PodDisruptionBudgets().Informer().GetIndexer(), nil
	case *storagev1.StorageClass:
		return f.Storage().V1().StorageClasses().Informer().GetIndexer(), nil
	case *storagev1.CSINode:
		return f.Storage().V1().CSINodes().Informer().GetIndexer(), nil
	case *storagev1.CSIDriver:
		return f.Storage().V1().CSIDrivers().Informer().GetIndexer(), nil
	case *storagev1.CSIStorageCapacity:
		return f.Storage().V1().CSIStorageCapacities().Informer().GetIndexer(), nil
	case *storagev1.VolumeAttachment:
		return f.Storage().V1().VolumeAttachments().Informer().GetIndexer(), nil
	}
	return nil, fmt.Errorf("%T is no part of the comparison", object)
}

// settle makes the volumes real that Reserve has assumed, as the volume controllers and a storage system without limits would at once.
func (w *world) settle(fw framework.Framework, pod *v1.Pod) error {
	binding, ok := plugin[*volumebinding.VolumeBinding, fwk.ReservePlugin](fw, "reservePlugins")
	if !ok {
		return nil
	}
	claims := private[volumebinding.PVCAssumeCache](binding.Binder, "pvcCache")
	volumes := private[volumebinding.PVAssumeCache](binding.Binder, "pvCache")
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		claim, err := claims.Get(pod.Namespace + "/" + volume.PersistentVolumeClaim.ClaimName)
		if err != nil {
			return err
		}
		if claim.Spec.VolumeName != "" {
			continue
		}
		class := ""
		if claim.Spec.StorageClassName != nil {
			class = *claim.Spec.StorageClassName
		}
		var found *v1.PersistentVolume
		if _, dynamic := claim.Annotations[annSelectedNode]; dynamic {
			storageClass, err := w.factory.Storage().V1().StorageClasses().Lister().Get(class)
			if err != nil {
				return err
			}
			name := fmt.Sprintf("pvc-%s-%s", claim.Namespace, claim.Name)
			found = &v1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: "1"},
				Spec: v1.PersistentVolumeSpec{Capacity: v1.ResourceList{v1.ResourceStorage: claim.Spec.Resources.Requests[v1.ResourceStorage]}, AccessModes: claim.Spec.AccessModes, StorageClassName: class,
					PersistentVolumeSource: v1.PersistentVolumeSource{CSI: &v1.CSIPersistentVolumeSource{Driver: storageClass.Provisioner, VolumeHandle: name}}}}
		} else {
			candidates, err := volumes.ListPVs(class)
			if err != nil {
				return err
			}
			for _, candidate := range candidates {
				if ref := candidate.Spec.ClaimRef; ref != nil && ref.Namespace == claim.Namespace && ref.Name == claim.Name {
					found = candidate.DeepCopy()
				}
			}
		}
		if found == nil {
			return fmt.Errorf("claim %s has no volume", claim.Name)
		}
		found.ResourceVersion = "2"
		found.Spec.ClaimRef = &v1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID}
		found.Status.Phase = v1.VolumeBound
		bound := claim.DeepCopy()
		bound.ResourceVersion = "2"
		bound.Spec.VolumeName = found.Name
		metav1.SetMetaDataAnnotation(&bound.ObjectMeta, annBindCompleted, "yes")
		bound.Status.Phase = v1.ClaimBound
		for _, object := range []runtime.Object{found, bound} {
			store, err := w.storeOf(object)
			if err != nil {
				return err
			}
			if err := store.Update(object); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) framework(pod *v1.Pod) (framework.Framework, error) {
	fw, ok := w.sched.Profiles[pod.Spec.SchedulerName]
	if !ok {
		return nil, fmt.Errorf("no profile %q", pod.Spec.SchedulerName)
	}
	return fw, nil
}

func (w *world) snapshot(fw framework.Framework) (*internalcache.Snapshot, error) {
	snapshot := fw.SnapshotSharedLister().(*internalcache.Snapshot)
	return snapshot, w.sched.Cache.UpdateSnapshot(w.logger, snapshot)
}

func (w *world) nextStart() int { return private[int](w.sched, "nextStartNodeIndex") }

func (w *world) preemption(fw framework.Framework) (*defaultpreemption.DefaultPreemption, bool) {
	return plugin[*defaultpreemption.DefaultPreemption, fwk.PostFilterPlugin](fw, "postFilterPlugins")
}

// bind puts the pod on the node, as the binding and the informer's event after it would.
func (w *world) bind(fw framework.Framework, state fwk.CycleState, pod *v1.Pod, node string) error {
	assumed := pod.DeepCopy()
	assumed.Spec.NodeName = node
	assumed.Status.NominatedNodeName = ""
	if err := w.sched.Cache.AssumePod(w.logger, assumed); err != nil {
		return err
	}
	w.sched.SchedulingQueue.Delete(assumed)
	if status := fw.RunReservePluginsReserve(w.ctx, state, assumed, node); !status.IsSuccess() {
		return fmt.Errorf("reserve: %v", status.AsError())
	}
	if err := w.settle(fw, assumed); err != nil {
		return err
	}
	bound := assumed.DeepCopy()
	w.pods[key(pod)] = bound
	delete(w.nominated, key(pod))
	return w.sched.Cache.AddPod(w.logger, bound)
}

func (w *world) remove(pod *v1.Pod) error {
	delete(w.pods, key(pod))
	return w.sched.Cache.RemovePod(w.logger, pod)
}

func (w *world) scheduleOnly(name string) (string, error) {
	pod := w.pods[name]
	fw, err := w.framework(pod)
	if err != nil {
		return "", err
	}
	if _, err := w.snapshot(fw); err != nil {
		return "", err
	}
	info, err := framework.NewPodInfo(pod)
	if err != nil {
		return "", err
	}
	state := framework.NewCycleState()
	result, err := w.sched.SchedulePod(w.ctx, fw, state, &framework.QueuedPodInfo{PodInfo: info})
	if err != nil {
		if _, ok := err.(*framework.FitError); ok {
			return "", nil
		}
		return "", err
	}
	assumed := pod.DeepCopy()
	assumed.Spec.NodeName = result.SuggestedHost
	if err := w.sched.Cache.AssumePod(w.logger, assumed); err != nil {
		return "", err
	}
	return result.SuggestedHost, nil
}
