/// get, list, watch.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/loop/rest/api.hpp"

namespace sim::loop {

namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string to_hex(std::string_view text) {
  std::string result;
  for (const char c : text) result += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return result;
}
std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string result;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (error != std::errc{} || end != text.data() + i + 2) return std::nullopt;
    result += static_cast<char>(value);
  }
  return result;
}

Refusal too_large_version(std::uint64_t wanted, std::uint64_t current) {
  Refusal refusal = timeout(fmt::format("Too large resource version: {}, current: {}", wanted, current));
  refusal.status["details"].set("causes", Json::array({Json::object({{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}})}));
  return refusal;
}

Refusal too_old(std::uint64_t wanted, std::uint64_t oldest) { return expired(fmt::format("too old resource version: {} ({})", wanted, oldest)); }

struct Query {
  LabelQuery labels;
  FieldQuery fields;
  std::optional<std::uint64_t> version;
  std::int64_t limit = 0;
  std::string match;
};

std::optional<Refusal> read_query(const Request& request, const Api::Served& served, Query& query) {
  std::string error;
  const std::optional<LabelQuery> labels = LabelQuery::parse(request.parameter("labelSelector"), error);
  if (!labels) return bad_request(error);
  query.labels = *labels;
  const std::optional<FieldQuery> fields = FieldQuery::parse(request.parameter("fieldSelector"), error);
  if (!fields) return bad_request(error);
  query.fields = *fields;
  const std::string wrong = query.fields.unsupported(served.resource->kind, served.custom == nullptr ? std::vector<std::string>{} : served.custom->selectable_fields);
  if (!wrong.empty()) return bad_request(fmt::format("field label not supported: {}", wrong));
  if (const std::string_view version = request.parameter("resourceVersion"); !version.empty()) {
    query.version = number(version);
    if (!query.version) return bad_request(fmt::format("resourceVersion: Invalid value: \"{}\": strconv.ParseUint: parsing \"{}\": invalid syntax", version, version));
  }
  if (const std::string_view limit = request.parameter("limit"); !limit.empty()) {
    const std::optional<std::uint64_t> value = number(limit);
    if (!value || *value > INT64_MAX) return bad_request(fmt::format("limit: Invalid value: \"{}\"", limit));
    query.limit = static_cast<std::int64_t>(*value);
  }
  query.match = request.parameter("resourceVersionMatch");
  return std::nullopt;
}

Refusal invalid_options(std::string field, std::string_view detail) {
  FieldErrors errors;
  errors.forbidden(std::move(field), detail);
  return invalid({"meta.k8s.io", "ListOptions", ""}, errors);
}

}  // namespace

Response Api::get(const Request& request, const Target& target) {
  const Negotiated negotiated = negotiate(request);
  if (negotiated.refusal) return answer(*negotiated.refusal);
  if (const std::string_view version = request.parameter("resourceVersion"); !version.empty()) {
    const std::optional<std::uint64_t> wanted = number(version);
    if (!wanted) return answer(bad_request(fmt::format("resourceVersion: Invalid value: \"{}\"", version)));
    if (*wanted > store_.version()) return answer(too_large_version(*wanted, store_.version()));
  }
  const Document document = store_.get(*target.served.resource, target.ns, target.name);
  if (document == nullptr) return answer(not_found({target.served.resource->group, target.served.resource->plural, target.name}));
  return answer_object(200, target, *document, negotiated.rendering);
}

Response Api::list(const Request& request, const Target& target) {
  const Negotiated negotiated = negotiate(request);
  if (negotiated.refusal) return answer(*negotiated.refusal);
  const ResourceInfo& resource = *target.served.resource;
  Query query;
  if (std::optional<Refusal> refusal = read_query(request, target.served, query)) return answer(*refusal);
  const std::string_view token = request.parameter("continue");
  if (request.has_parameter("sendInitialEvents")) return answer(invalid_options("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  if (!query.match.empty()) {
    if (!token.empty()) return answer(invalid_options("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
    if (!query.version) return answer(invalid_options("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    if (query.match != "Exact" && query.match != "NotOlderThan") {
      FieldErrors errors;
      errors.not_supported("resourceVersionMatch", query.match, {"Exact", "NotOlderThan", ""});
      return answer(invalid({"meta.k8s.io", "ListOptions", ""}, errors));
    }
    if (query.match == "Exact" && *query.version == 0) return answer(invalid_options("resourceVersionMatch", "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
  }
  const Collection& objects = store_.collection(resource);
  const std::uint64_t current = store_.version();
  std::uint64_t version = current;
  std::string start;
  if (!token.empty()) {
    if (query.version && *query.version != 0) return answer(bad_request("specifying resource version is not allowed when using continue"));
    const std::optional<std::string> text = from_hex(token);
    const std::size_t colon = text ? text->find(':') : std::string::npos;
    const std::optional<std::uint64_t> at = colon == std::string::npos ? std::nullopt : number(std::string_view(*text).substr(0, colon));
    if (!at) return answer(bad_request("continue key is not valid: illegal base64 data at input byte 0"));
    version = *at;
    start = text->substr(colon + 1);
  } else if (query.version && *query.version != 0) {
    if (*query.version > current) return answer(too_large_version(*query.version, current));
    if (query.match == "Exact" || (query.match.empty() && query.limit > 0)) version = *query.version;
  } else if (query.version && *query.version == 0) {
    query.limit = 0;  // as the watch cache does
  }
  if (version < objects.oldest()) {
    return answer(expired(token.empty() ? fmt::format("The resourceVersion for the provided list is too old.")
                                        : "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter."));
  }
  std::map<std::string, Document, std::less<>> past;
  const bool is_current = objects.history().empty() || objects.history().back().version <= version;
  if (!is_current) past = objects.snapshot(version);
  const auto& all = is_current ? objects.objects() : past;

  const std::string prefix = target.ns.empty() ? std::string() : target.ns + "/";
  std::vector<Document> found;
  std::string next;
  std::int64_t remaining = 0;
  const bool selective = !query.labels.is_empty() || !query.fields.is_empty();
  std::string last;
  for (auto at = start.empty() ? all.lower_bound(prefix) : all.upper_bound(start); at != all.end(); ++at) {
    if (!prefix.empty() && !at->first.starts_with(prefix)) break;
    if (selective && (!query.labels.matches(*at->second) || !query.fields.matches(*at->second))) continue;
    if (query.limit > 0 && static_cast<std::int64_t>(found.size()) >= query.limit) {
      next = last;
      ++remaining;
      if (selective) break;
      continue;
    }
    last = at->first;
    found.push_back(at->second);
  }
  Json metadata = Json::object({{"resourceVersion", fmt::format("{}", version)}});
  if (!next.empty()) {
    metadata.set("continue", to_hex(fmt::format("{}:{}", version, next)));
    if (!selective) metadata.set("remainingItemCount", remaining);
  }
  const Rendering& rendering = negotiated.rendering;
  Response response;
  if (rendering.as == Rendering::As::kTable) {
    Json table = Json::object({{"kind", "Table"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", metadata}, {"columnDefinitions", table_columns(resource, target.served.custom)}});
    table.set("rows", Json::array());
    for (const Document& document : found) {
      table["rows"].push_back(table_row(presented(*document, resource), resource, target.served.custom, store_.now_nanoseconds(), rendering.whole_object, rendering.include_object));
    }
    return answer(200, table);
  }
  const bool partials = rendering.as == Rendering::As::kPartial;
  response.body = fmt::format(R"({{"kind":"{}","apiVersion":"{}","metadata":)", partials ? "PartialObjectMetadataList" : resource.list_kind, partials ? "meta.k8s.io/v1" : resource.api_version());
  metadata.write(response.body);
  response.body += ",\"items\":[";
  bool first = true;
  for (const Document& document : found) {
    if (!first) response.body += ',';
    first = false;
    if (partials) {
      partial(*document).write(response.body);
      continue;
    }
    const bool as_stored = document->at("apiVersion").text() == resource.api_version();
    const Json other = as_stored ? Json() : presented(*document, resource);
    const Json& item = as_stored ? *document : other;
    if (target.served.custom != nullptr) {
      item.write(response.body);
      continue;
    }
    // Items of typed lists do not repeat their kind.
    response.body += '{';
    bool first_member = true;
    for (const Member& member : item.members()) {
      if (member.key == "kind" || member.key == "apiVersion") continue;
      if (!first_member) response.body += ',';
      first_member = false;
      write_json_string(member.key, response.body);
      response.body += ':';
      member.value.write(response.body);
    }
    response.body += '}';
  }
  response.body += "]}\n";
  return response;
}

WatchSession::WatchSession(Collection& collection, const ResourceInfo& resource, const CustomResource* custom, Wish wish, Store& store)
    : collection_(collection), resource_(resource), custom_(custom), wish_(std::move(wish)), store_(store) {}

WatchSession::~WatchSession() {
  if (follows_) collection_.unwatch(*this);
}

void WatchSession::follow() {
  follows_ = true;
  collection_.watch(*this);
}

void WatchSession::connect(std::function<void(std::string)> send) {
  send_ = std::move(send);
  if (!early_.empty()) send_(std::exchange(early_, {}));
}

bool WatchSession::matches(const Json& document) const {
  if (!wish_.ns.empty() && document.at({"metadata", "namespace"}).text() != wish_.ns) return false;
  return wish_.labels.matches(document) && wish_.fields.matches(document);
}

void WatchSession::frame(std::string_view type, const Json& document, const std::string* json) {
  std::string text = fmt::format(R"({{"type":"{}","object":)", type);
  switch (wish_.rendering.as) {
    case Rendering::As::kWhole:
      if (json != nullptr && document.at("apiVersion").text() == resource_.api_version()) {
        text += *json;
      } else {
        presented(document, resource_).write(text);
      }
      break;
    case Rendering::As::kPartial: partial(document).write(text); break;
    case Rendering::As::kTable: {
      Json table = Json::object({{"kind", "Table"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", Json::object({{"resourceVersion", document.at({"metadata", "resourceVersion"})}})},
                                 {"columnDefinitions", table_has_columns_ ? Json::array() : table_columns(resource_, custom_)}});
      table_has_columns_ = true;
      table["rows"].push_back(table_row(presented(document, resource_), resource_, custom_, store_.now_nanoseconds(), wish_.rendering.whole_object, wish_.rendering.include_object));
      table.write(text);
      break;
    }
  }
  text += "}\n";
  if (send_) {
    send_(std::move(text));
  } else {
    early_ += text;
  }
}

void WatchSession::add(std::string_view type, const Json& document) {
  if (matches(document)) frame(type, document, nullptr);
}

void WatchSession::on_change(const DocumentChange& change) {
  const bool was = change.before != nullptr && matches(*change.before);
  const bool is = change.type != DocumentChange::Type::kDeleted && matches(*change.document);
  if (change.type == DocumentChange::Type::kDeleted) {
    if (was || (change.before == nullptr && matches(*change.document))) frame("DELETED", *change.document, &change.json());
    return;
  }
  if (is) {
    frame(was ? "MODIFIED" : "ADDED", *change.document, &change.json());
  } else if (was) {
    // It left the selection: its previous state, with the version of the change.
    Json last = *change.before;
    last["metadata"].set("resourceVersion", fmt::format("{}", change.version));
    frame("DELETED", last, nullptr);
  }
}

void WatchSession::bookmark(bool initial_end) {
  if (!wish_.bookmarks && !initial_end) return;
  Json metadata = Json::object({{"resourceVersion", fmt::format("{}", store_.version())}, {"creationTimestamp", Json()}});
  if (initial_end) metadata.set("annotations", Json::object({{"k8s.io/initial-events-end", "true"}}));
  Json object = wish_.rendering.as == Rendering::As::kPartial ? Json::object({{"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/v1"}})
                                                              : Json::object({{"kind", resource_.kind}, {"apiVersion", resource_.api_version()}});
  object.set("metadata", std::move(metadata));
  if (wish_.rendering.as == Rendering::As::kTable) {
    Json table = Json::object({{"kind", "Table"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", Json::object({{"resourceVersion", object.at({"metadata", "resourceVersion"})}})},
                               {"columnDefinitions", Json::array()}, {"rows", Json::array()}});
    Json row = Json::object({{"cells", Json::array()}, {"object", object}});
    table["rows"].push_back(std::move(row));
    object = std::move(table);
  }
  std::string text = R"({"type":"BOOKMARK","object":)";
  object.write(text);
  text += "}\n";
  if (send_) {
    send_(std::move(text));
  } else {
    early_ += text;
  }
}

void WatchSession::send_error(const Json& what) {
  std::string text = R"({"type":"ERROR","object":)";
  what.write(text);
  text += "}\n";
  if (send_) {
    send_(std::move(text));
  } else {
    early_ += text;
  }
}

Response Api::watch(const Request& request, const Target& target) {
  const Negotiated negotiated = negotiate(request);
  if (negotiated.refusal) return answer(*negotiated.refusal);
  const ResourceInfo& resource = *target.served.resource;
  Query query;
  if (std::optional<Refusal> refusal = read_query(request, target.served, query)) return answer(*refusal);
  const bool has_initial = request.has_parameter("sendInitialEvents");
  bool initial = has_initial && request.is_set("sendInitialEvents");
  if (!query.match.empty() && !has_initial) {
    return answer(invalid_options("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  }
  if (has_initial && query.match != "NotOlderThan") {
    return answer(invalid_options("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  const bool bookmarks = request.is_set("allowWatchBookmarks");
  Collection& objects = store_.collection(resource);
  WatchSession::Wish wish{target.ns, query.labels, query.fields, negotiated.rendering, bookmarks};
  if (!target.name.empty()) {
    std::string error;
    wish.fields = *FieldQuery::parse("metadata.name=" + target.name, error);
  }
  Response response;
  response.headers.emplace_back("Cache-Control", "no-cache, private");
  response.is_stream = true;
  response.timeout_seconds = 1800;
  if (const std::optional<std::uint64_t> seconds = number(request.parameter("timeoutSeconds")); seconds && *seconds > 0) {
    response.timeout_seconds = static_cast<std::int64_t>(std::min<std::uint64_t>(*seconds, 86'400));
  }
  response.watch = std::make_unique<WatchSession>(objects, resource, target.served.custom, std::move(wish), store_);
  WatchSession& session = *response.watch;
  const bool from_anywhere = !query.version || *query.version == 0;
  if (query.version && *query.version > store_.version()) {
    // A watch waits for a version that is yet to come; one far ahead is of another cluster.
    if (initial) return answer(too_large_version(*query.version, store_.version()));
  }
  if (initial || (from_anywhere && !has_initial)) {
    for (const auto& [key, document] : objects.objects()) session.add("ADDED", *document);
    if (initial && bookmarks) session.bookmark(true);
  } else if (!from_anywhere) {
    if (*query.version < objects.oldest()) {
      session.send_error(too_old(*query.version, objects.oldest()).status);
      response.timeout_seconds = 0;
      return response;
    }
    for (const DocumentChange& change : objects.history()) {
      if (change.version > *query.version) session.on_change(change);
    }
  }
  session.follow();
  return response;
}

}  // namespace sim::loop
