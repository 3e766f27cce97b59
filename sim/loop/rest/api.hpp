/// The API of Kubernetes as a function: a request in, an answer or a stream of watch events out. No sockets, no clock of its own.
///
/// Source:     apiserver pkg/endpoints (handlers, discovery, request info), kube-aggregator; reference kubernetes chapter 4 and controllers-api-surface.
/// Leaves out: see docs/models/api_server.md.
/// Checked by: tests/loop/api_test.cpp, tests/loop/kubectl.py.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loop/json/json.hpp"
#include "sim/loop/patch/apply.hpp"
#include "sim/loop/rest/http.hpp"
#include "sim/loop/rest/status.hpp"
#include "sim/loop/schema/schema.hpp"
#include "sim/loop/store/selectors.hpp"
#include "sim/loop/store/store.hpp"

namespace sim::loop {

/// What some subresources ask of the cluster behind the documents. Without one they work on documents alone.
class Platform {
 public:
  virtual ~Platform() = default;
  virtual std::optional<Refusal> bind(const Json& pod, const std::string& node) = 0;
  virtual std::optional<Refusal> evict(const Json& pod, const Deletion& deletion) = 0;
  /// What the container "printed", whole lines with their times.
  struct LogLine {
    std::int64_t unix_nanoseconds = 0;
    std::string text;
  };
  virtual std::vector<LogLine> log(const Json& pod, const std::string& container) = 0;
  /// An API server is up; ... and etcd takes writes.
  virtual bool is_readable() const = 0;
  virtual bool is_writable() const = 0;
};

/// How the objects of an answer are to look.
struct Rendering {
  enum class As { kWhole, kTable, kPartial } as = As::kWhole;
  bool include_object = true;  // of a Table: the metadata of each row
  bool whole_object = false;
};

/// A custom resource's version, as its CustomResourceDefinition describes it.
struct CustomResource {
  ResourceInfo info;
  std::string definition;  // name of the CustomResourceDefinition
  Json schema;             // openAPIV3Schema
  Json columns;            // additionalPrinterColumns
  Json scale;              // subresources.scale
  std::vector<std::string> selectable_fields;
  bool has_status = false;
};

/// One watch: turns the changes of a collection into frames.
class WatchSession : public Watcher {
 public:
  struct Wish {
    std::string ns;  // empty: all
    LabelQuery labels;
    FieldQuery fields;
    Rendering rendering;
    bool bookmarks = false;
  };
  WatchSession(Collection& collection, const ResourceInfo& resource, const CustomResource* custom, Wish wish, Store& store);
  ~WatchSession() override;
  /// What was to be sent so far, and from now on all of it.
  void connect(std::function<void(std::string)> send);
  void on_change(const DocumentChange& change) override;
  void bookmark(bool initial_end = false);
  void add(std::string_view type, const Json& document);
  void send_error(const Json& status);
  /// Begins to listen.
  void follow();

 private:
  bool matches(const Json& document) const;
  void frame(std::string_view type, const Json& document, const std::string* json);
  Collection& collection_;
  const ResourceInfo& resource_;
  const CustomResource* custom_;
  Wish wish_;
  Store& store_;
  std::function<void(std::string)> send_;
  std::string early_;
  bool follows_ = false;
  bool table_has_columns_ = false;
};

struct ApiOptions {
  std::string host = "127.0.0.1:6443";  // as clients see it
  /// The control loops of a kube-controller-manager are somebody else's: deleting a namespace, or an owner, is only begun here.
  bool external_controllers = false;
  std::string ca_certificate;  // PEM
  std::function<std::string(std::string_view user)> issue_token;
  std::function<std::string(std::string_view token)> user_of_token;
};

class Api {
 public:
  Api(Store& store, ApiOptions options, Platform* platform = nullptr);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  Response handle(const Request& request);
  Store& store() { return store_; }
  const ApiOptions& options() const { return options_; }
  void set_host(std::string host) { options_.host = std::move(host); }

  /// What is there in every cluster before anybody asks: system:* roles, kube-root-ca.crt, the kubernetes service, extension-apiserver-authentication.
  void add_built_in_objects();
  /// Stores a document as a client's create would, but for what concerns the request. For tests and start-up.
  std::optional<Refusal> create(std::string_view group, std::string_view version, std::string_view plural, Json document);

  struct Served {
    const ResourceInfo* resource = nullptr;
    const CustomResource* custom = nullptr;
  };
  Served find_resource(std::string_view group, std::string_view version, std::string_view plural) const;
  /// All that discovery tells of, in its order.
  std::vector<Served> served() const;

 private:
  struct Target {
    Served served;
    std::string ns;
    std::string name;
    std::string subresource;
  };
  struct Negotiated {
    Rendering rendering;
    std::optional<Refusal> refusal;
  };

  // router.cpp
  Response route(const Request& request);
  Response route_resource(const Request& request, const Target& target);
  static Negotiated negotiate(const Request& request);
  static Response answer(const Refusal& refusal);
  static Response answer(int code, const Json& body);
  Response answer_object(int code, const Target& target, const Json& document, const Rendering& rendering);

  // discovery.cpp
  Response discovery(const Request& request);
  Response openapi(const Request& request);
  Json resource_list(std::string_view group, std::string_view version) const;

  // read.cpp
  Response get(const Request& request, const Target& target);
  Response list(const Request& request, const Target& target);
  Response watch(const Request& request, const Target& target);

  // write.cpp
  Response create(const Request& request, const Target& target);
  Response update(const Request& request, const Target& target);
  Response patch(const Request& request, const Target& target);
  Response remove(const Request& request, const Target& target);
  Response remove_collection(const Request& request, const Target& target);
  std::optional<Refusal> read_body(const Request& request, const Served& served, Json& body, std::vector<std::string>& warnings);
  std::optional<Refusal> check_fields(const Request& request, const Served& served, const Json& document, std::vector<std::string>& warnings);
  std::optional<Refusal> prepare_create(const Served& served, const std::string& ns, Json& document);
  std::optional<Refusal> finish_update(const Served& served, const Document& before, Json& document, const std::string& subresource);
  std::optional<Refusal> read_deletion(const Request& request, const Served& served, Deletion& deletion, Json& preconditions, bool& dry_run);
  std::optional<Refusal> remove_one(const Served& served, const Document& document, const Deletion& deletion, bool dry_run, Document& result, bool& gone);
  Manager manager_of(const Request& request, const Served& served, std::string_view operation, std::string_view subresource) const;
  Shape shape_of(const Served& served) const;

  // subresources.cpp
  Response subresource(const Request& request, const Target& target);
  Response scale(const Request& request, const Target& target);
  Response bind(const Request& request, const Target& target);
  Response evict(const Request& request, const Target& target);
  Response log(const Request& request, const Target& target);
  Response token(const Request& request, const Target& target);
  Response finalize_namespace(const Request& request, const Target& target);
  Response review(const Request& request, const Target& target);

  // custom_resources.cpp
  void definition_changed(const Json& definition, bool gone);
  std::optional<Refusal> accept_definition(Json& definition);

  // owners.cpp
  void removed(const ResourceInfo& resource, const Json& document);
  void collect_dependents(const std::string& uid);
  void end_namespace(const std::string& name);

  std::string next_cluster_ip();

  Store& store_;
  ApiOptions options_;
  Platform* platform_;
  std::map<std::string, std::unique_ptr<CustomResource>, std::less<>> custom_;  // by "group/version/plural"
  std::vector<std::unique_ptr<CustomResource>> retired_;                        // watches may still name them
  std::unique_ptr<Watcher> definitions_;
  std::uint64_t names_made_ = 0;
  std::uint32_t service_ips_ = 0;
  std::map<std::string, std::string, std::less<>> openapi_cache_;
};

/// A document as another version of its resource shows it (events of both groups are one).
Json presented(const Json& document, const ResourceInfo& resource);
Json stored_form(Json document, const ResourceInfo& resource);

/// server-side printing
Json table_columns(const ResourceInfo& resource, const CustomResource* custom);
Json table_row(const Json& document, const ResourceInfo& resource, const CustomResource* custom, std::int64_t now_nanoseconds, bool whole_object, bool include_object);
Json partial(const Json& document);

/// What is wrong with a custom object; fills in defaults and takes away what the schema does not know.
void apply_schema_defaults(Json& value, const Json& schema);
void prune(Json& value, const Json& schema, bool is_root);
void validate_schema(const Json& value, const Json& schema, const std::string& path, FieldErrors& errors);
void unknown_fields(const Json& value, const Json& schema, const std::string& path, bool is_root, std::vector<std::string>& to);

}  // namespace sim::loop
