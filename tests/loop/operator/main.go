// An operator of our own on controller-runtime, and what it must bring about: a Bouquet is a Deployment of as many flowers, told in its status, and cleaned up by a
// finalizer. It runs against the cluster of KUBECONFIG and prints a line for each step: "ok: ..." or "FAILED: ...". With NODE_FAILS=10m it waits for that fault too
// (in virtual time: the wait costs nothing).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	namespace = "garden"
	finalizer = "flowers.example.com/wilt"
)

var groupVersion = schema.GroupVersion{Group: "flowers.example.com", Version: "v1"}

type BouquetSpec struct {
	Flowers int32  `json:"flowers"`
	Image   string `json:"image,omitempty"`
}
type BouquetStatus struct {
	Ready              int32              `json:"ready"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}
type Bouquet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BouquetSpec   `json:"spec"`
	Status            BouquetStatus `json:"status,omitempty"`
}
type BouquetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Bouquet `json:"items"`
}

func (b *Bouquet) copy() *Bouquet {
	c := &Bouquet{TypeMeta: b.TypeMeta, ObjectMeta: *b.ObjectMeta.DeepCopy(), Spec: b.Spec, Status: b.Status}
	c.Status.Conditions = append([]metav1.Condition(nil), b.Status.Conditions...)
	return c
}
func (b *Bouquet) DeepCopyObject() runtime.Object { return b.copy() }
func (l *BouquetList) DeepCopyObject() runtime.Object {
	c := &BouquetList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		c.Items = append(c.Items, *l.Items[i].copy())
	}
	return c
}

func definition() *apiextensionsv1.CustomResourceDefinition {
	least := 0.0
	props := func(p map[string]apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "object", Properties: p}
	}
	preserve := true
	spec := props(map[string]apiextensionsv1.JSONSchemaProps{
		"flowers": {Type: "integer", Minimum: &least},
		"image":   {Type: "string", Default: &apiextensionsv1.JSON{Raw: []byte(`"rose:1"`)}},
	})
	spec.Required = []string{"flowers"}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "bouquets." + groupVersion.Group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: groupVersion.Group,
			Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "bouquets", Singular: "bouquet", Kind: "Bouquet", ListKind: "BouquetList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object",
					Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": spec, "status": {Type: "object", XPreserveUnknownFields: &preserve}}}},
			}},
		},
	}
}

type reconciler struct {
	client.Client
	scheme   *runtime.Scheme
	recorder events.EventRecorder
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var bouquet Bouquet
	if err := r.Get(ctx, request.NamespacedName, &bouquet); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !bouquet.DeletionTimestamp.IsZero() {
		if controllerutil.RemoveFinalizer(&bouquet, finalizer) {
			// What nobody owns has to be taken away by hand.
			wilted := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "wilted-" + bouquet.Name, Namespace: bouquet.Namespace}}
			if err := r.Create(ctx, wilted); err != nil && !apierrors.IsAlreadyExists(err) {
				return ctrl.Result{}, err
			}
			return ctrl.Result{}, r.Update(ctx, &bouquet)
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(&bouquet, finalizer) {
		return ctrl.Result{}, r.Update(ctx, &bouquet)
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: bouquet.Name, Namespace: bouquet.Namespace}}
	result, err := controllerutil.CreateOrUpdate(ctx, r.Client, deployment, func() error {
		labels := map[string]string{"bouquet": bouquet.Name}
		deployment.Spec.Replicas = &bouquet.Spec.Flowers
		deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		deployment.Spec.Template.Labels = labels
		if len(deployment.Spec.Template.Spec.Containers) == 0 {
			deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "flower"}}
		}
		deployment.Spec.Template.Spec.Containers[0].Image = bouquet.Spec.Image
		return controllerutil.SetControllerReference(&bouquet, deployment, r.scheme)
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	if result == controllerutil.OperationResultCreated {
		r.recorder.Eventf(&bouquet, deployment, corev1.EventTypeNormal, "Arranged", "Arrange", "%d flowers", bouquet.Spec.Flowers)
	}
	before := bouquet.copy()
	bouquet.Status.Ready = deployment.Status.ReadyReplicas
	bouquet.Status.ObservedGeneration = bouquet.Generation
	status := metav1.ConditionFalse
	if bouquet.Status.Ready == bouquet.Spec.Flowers {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&bouquet.Status.Conditions, metav1.Condition{Type: "Ready", Status: status, Reason: "Counted", ObservedGeneration: bouquet.Generation})
	return ctrl.Result{}, r.Status().Patch(ctx, &bouquet, client.MergeFrom(before))
}

type suite struct {
	client.Client
	ctx    context.Context
	failed int
}

func (s *suite) step(name string, run func() error) {
	if err := run(); err != nil {
		s.failed++
		fmt.Printf("FAILED: %s: %v\n", name, err)
		return
	}
	fmt.Printf("ok: %s\n", name)
}

func (s *suite) until(what string, condition func() (bool, error)) error {
	err := wait.PollUntilContextTimeout(s.ctx, 200*time.Millisecond, 90*time.Second, true, func(context.Context) (bool, error) { return condition() })
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (s *suite) ready(name string, flowers int32) error {
	return s.until(fmt.Sprintf("%s with %d flowers", name, flowers), func() (bool, error) {
		var bouquet Bouquet
		if err := s.Get(s.ctx, client.ObjectKey{Namespace: namespace, Name: name}, &bouquet); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		condition := meta.FindStatusCondition(bouquet.Status.Conditions, "Ready")
		return bouquet.Status.Ready == flowers && bouquet.Status.ObservedGeneration == bouquet.Generation && condition != nil && condition.Status == metav1.ConditionTrue, nil
	})
}

func (s *suite) deployment(name string) (*appsv1.Deployment, error) {
	var d appsv1.Deployment
	err := s.Get(s.ctx, client.ObjectKey{Namespace: namespace, Name: name}, &d)
	return &d, err
}

func (s *suite) all(began time.Time) {
	roses := &Bouquet{ObjectMeta: metav1.ObjectMeta{Name: "roses", Namespace: namespace}, Spec: BouquetSpec{Flowers: 3}}
	s.step("a bouquet becomes a Deployment, and its status is told", func() error {
		if err := s.Create(s.ctx, roses); err != nil {
			return err
		}
		if roses.Spec.Image != "rose:1" {
			return fmt.Errorf("the schema's default is missing: %q", roses.Spec.Image)
		}
		if err := s.ready("roses", 3); err != nil {
			return err
		}
		d, err := s.deployment("roses")
		if err != nil {
			return err
		}
		if owner := metav1.GetControllerOf(d); owner == nil || owner.UID != roses.UID {
			return fmt.Errorf("owner %v", owner)
		}
		return nil
	})
	s.step("an event tells of it", func() error {
		return s.until("the event", func() (bool, error) {
			var list eventsv1.EventList
			if err := s.List(s.ctx, &list, client.InNamespace(namespace)); err != nil {
				return false, err
			}
			for _, e := range list.Items {
				if e.Reason == "Arranged" && e.Regarding.Name == "roses" {
					return true, nil
				}
			}
			return false, nil
		})
	})
	s.step("a change of the bouquet is a change of the Deployment", func() error {
		if err := s.Get(s.ctx, client.ObjectKeyFromObject(roses), roses); err != nil {
			return err
		}
		before := roses.copy()
		roses.Spec.Flowers = 1
		if err := s.Patch(s.ctx, roses, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return err
		}
		if err := s.ready("roses", 1); err != nil {
			return err
		}
		before.Spec.Flowers = 2
		if err := s.Update(s.ctx, before); !apierrors.IsConflict(err) {
			return fmt.Errorf("an update from an old version: %v", err)
		}
		return nil
	})
	s.step("what the schema forbids is refused", func() error {
		err := s.Create(s.ctx, &Bouquet{ObjectMeta: metav1.ObjectMeta{Name: "debt", Namespace: namespace}, Spec: BouquetSpec{Flowers: -1}})
		if !apierrors.IsInvalid(err) {
			return fmt.Errorf("%v", err)
		}
		return nil
	})
	s.step("a Deployment that somebody deletes is made again", func() error {
		d, err := s.deployment("roses")
		if err != nil {
			return err
		}
		old := d.UID
		if err := s.Delete(s.ctx, d, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &old}); err != nil {
			return err
		}
		if err := s.until("another Deployment", func() (bool, error) {
			d, err := s.deployment("roses")
			return err == nil && d.UID != old, client.IgnoreNotFound(err)
		}); err != nil {
			return err
		}
		return s.ready("roses", 1)
	})
	s.step("server-side apply of a bouquet", func() error {
		applied := &Bouquet{TypeMeta: metav1.TypeMeta{APIVersion: groupVersion.String(), Kind: "Bouquet"}, ObjectMeta: metav1.ObjectMeta{Name: "tulips", Namespace: namespace}, Spec: BouquetSpec{Flowers: 4}}
		//nolint:staticcheck // client.Apply as a patch is what operators in the field use
		if err := s.Patch(s.ctx, applied, client.Apply, client.FieldOwner("gardener"), client.ForceOwnership); err != nil {
			return err
		}
		return s.ready("tulips", 4)
	})
	if after := os.Getenv("NODE_FAILS"); after != "" {
		s.step("a node is lost, and the flowers stand elsewhere", func() error {
			fails, err := time.ParseDuration(after)
			if err != nil {
				return err
			}
			on := func(node string) (n int, err error) {
				var pods corev1.PodList
				if err := s.List(s.ctx, &pods, client.InNamespace(namespace)); err != nil {
					return 0, err
				}
				for _, pod := range pods.Items {
					if pod.Spec.NodeName == node && pod.DeletionTimestamp.IsZero() {
						n++
					}
				}
				return n, nil
			}
			time.Sleep(time.Until(began.Add(fails - time.Second)))
			if n, err := on("worker-1"); err != nil || n == 0 {
				return fmt.Errorf("%d flowers on worker-1 before: %v", n, err)
			}
			// 40 s of grace and up to 5 s, 300 s tolerated.
			time.Sleep(time.Minute)
			var tulips Bouquet
			if err := s.Get(s.ctx, client.ObjectKey{Namespace: namespace, Name: "tulips"}, &tulips); err != nil {
				return err
			}
			if tulips.Status.Ready == 4 {
				return errors.New("the loss of a node is not in the status")
			}
			time.Sleep(6 * time.Minute)
			if n, err := on("worker-1"); err != nil || n != 0 {
				return fmt.Errorf("%d flowers on the node that is lost: %v", n, err)
			}
			return s.ready("tulips", 4)
		})
	}
	s.step("a bouquet goes by its finalizer, and its Deployment with it", func() error {
		if err := s.Get(s.ctx, client.ObjectKeyFromObject(roses), roses); err != nil {
			return err
		}
		if err := s.Delete(s.ctx, roses); err != nil {
			return err
		}
		if err := s.until("its end", func() (bool, error) {
			err := s.Get(s.ctx, client.ObjectKeyFromObject(roses), &Bouquet{})
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		}); err != nil {
			return err
		}
		if err := s.Get(s.ctx, client.ObjectKey{Namespace: namespace, Name: "wilted-roses"}, &corev1.ConfigMap{}); err != nil {
			return err
		}
		return s.until("the end of its Deployment", func() (bool, error) {
			_, err := s.deployment("roses")
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
	})
}

func run() error {
	began := time.Now()
	if text := os.Getenv("BEGAN"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return err
		}
		began = t
	}
	log.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	scheme.AddKnownTypes(groupVersion, &Bouquet{}, &BouquetList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	s := &suite{Client: direct, ctx: ctx}
	if err := direct.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	if err := direct.Create(ctx, definition()); err != nil {
		return err
	}
	if err := s.until("the definition is established", func() (bool, error) {
		var d apiextensionsv1.CustomResourceDefinition
		if err := direct.Get(ctx, client.ObjectKey{Name: definition().Name}, &d); err != nil {
			return false, err
		}
		for _, c := range d.Status.Conditions {
			if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	}); err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, LeaderElection: true, LeaderElectionID: "bouquets", LeaderElectionNamespace: namespace, LeaderElectionReleaseOnCancel: true,
		Metrics: server.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	r := &reconciler{Client: manager.GetClient(), scheme: scheme, recorder: manager.GetEventRecorder("bouquets")}
	if err := ctrl.NewControllerManagedBy(manager).For(&Bouquet{}).Owns(&appsv1.Deployment{}).Complete(r); err != nil {
		return err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- manager.Start(ctx) }()
	s.all(began)
	cancel()
	if err := <-stopped; err != nil {
		return err
	}
	if s.failed > 0 {
		return fmt.Errorf("%d steps failed", s.failed)
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}
