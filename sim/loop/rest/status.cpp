#include "sim/loop/rest/status.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sim::loop {

namespace {

std::string qualified(const Subject& subject) { return subject.group.empty() ? subject.kind : subject.kind + "." + subject.group; }

Json details_of(const Subject& subject) {
  Json details = Json::object();
  if (!subject.name.empty()) details.set("name", subject.name);
  if (!subject.group.empty()) details.set("group", subject.group);
  if (!subject.kind.empty()) details.set("kind", subject.kind);
  return details;
}

Refusal refusal(int code, std::string_view reason, std::string_view message, const Subject& subject = {}) {
  Refusal result{code, status(code, reason, message)};
  Json details = details_of(subject);
  if (!details.is_empty()) result.status.set("details", std::move(details));
  // As Go writes it: code last.
  const Json number = result.status.at("code");
  result.status.erase("code");
  result.status.set("code", number);
  return result;
}

}  // namespace

Json status(int code, std::string_view reason, std::string_view message) {
  Json result = Json::object({{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", code < 400 ? "Success" : "Failure"}});
  if (!message.empty()) result.set("message", message);
  if (!reason.empty()) result.set("reason", reason);
  result.set("code", code);
  return result;
}

Json success(const Subject& subject, std::string_view uid) {
  Json result = Json::object({{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Success"}});
  Json details = details_of(subject);
  if (!uid.empty()) details.set("uid", uid);
  result.set("details", std::move(details));
  return result;
}

void FieldErrors::required(std::string field, std::string_view detail) {
  errors_.push_back({"FieldValueRequired", std::move(field), detail.empty() ? "Required value" : fmt::format("Required value: {}", detail)});
}
void FieldErrors::invalid(std::string field, const Json& value, std::string_view detail) {
  errors_.push_back({"FieldValueInvalid", std::move(field), fmt::format("Invalid value: {}: {}", value.dump(), detail)});
}
void FieldErrors::not_supported(std::string field, const Json& value, const std::vector<std::string>& supported) {
  std::vector<std::string> quoted;
  for (const std::string& word : supported) quoted.push_back(fmt::format("\"{}\"", word));
  std::sort(quoted.begin(), quoted.end());
  errors_.push_back({"FieldValueNotSupported", std::move(field), fmt::format("Unsupported value: {}: supported values: {}", value.dump(), fmt::join(quoted, ", "))});
}
void FieldErrors::duplicate(std::string field, const Json& value) {
  errors_.push_back({"FieldValueDuplicate", std::move(field), fmt::format("Duplicate value: {}", value.dump())});
}
void FieldErrors::too_many(std::string field, std::size_t count, std::size_t most) {
  errors_.push_back({"FieldValueTooMany", std::move(field), fmt::format("Too many: {}: must have at most {} item{}", count, most, most == 1 ? "" : "s")});
}
void FieldErrors::invalid_without_value(std::string field, std::string_view detail) {
  errors_.push_back({"FieldValueInvalid", std::move(field), fmt::format("Invalid value: {}", detail)});
}
void FieldErrors::forbidden(std::string field, std::string_view detail) {
  errors_.push_back({"FieldValueForbidden", std::move(field), fmt::format("Forbidden: {}", detail)});
}

Refusal not_found(const Subject& s) { return refusal(404, "NotFound", fmt::format("{} \"{}\" not found", qualified(s), s.name), s); }
Refusal already_exists(const Subject& s) { return refusal(409, "AlreadyExists", fmt::format("{} \"{}\" already exists", qualified(s), s.name), s); }
Refusal conflict(const Subject& s, std::string_view message) {
  return refusal(409, "Conflict", fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", qualified(s), s.name, message), s);
}
Refusal invalid(const Subject& s, const FieldErrors& errors) {
  Json causes = Json::array();
  std::vector<std::string> messages;
  for (const FieldError& error : errors.all()) {
    causes.push_back(Json::object({{"reason", error.type}, {"message", error.message}, {"field", error.field}}));
    std::string text = error.field.empty() ? error.message : fmt::format("{}: {}", error.field, error.message);
    if (std::find(messages.begin(), messages.end(), text) == messages.end()) messages.push_back(std::move(text));
  }
  const std::string all = messages.size() == 1 ? messages.front() : fmt::format("[{}]", fmt::join(messages, ", "));
  Refusal result = refusal(422, "Invalid", fmt::format("{} \"{}\" is invalid: {}", qualified(s), s.name, all), s);
  result.status["details"].set("causes", std::move(causes));
  return result;
}
Refusal bad_request(std::string_view message) { return refusal(400, "BadRequest", message); }
Refusal forbidden(const Subject& s, std::string_view message) {
  const std::string text = s.name.empty() ? fmt::format("{} is forbidden: {}", qualified(s), message) : fmt::format("{} \"{}\" is forbidden: {}", qualified(s), s.name, message);
  return refusal(403, "Forbidden", text, s);
}
Refusal unauthorized() { return refusal(401, "Unauthorized", "Unauthorized"); }
Refusal method_not_supported(const Subject& s, std::string_view action) {
  return refusal(405, "MethodNotAllowed", fmt::format("{} is not supported on resources of kind \"{}\"", action, qualified(s)), {s.group, s.kind, {}});
}
Refusal unsupported_media_type(std::string_view message) { return refusal(415, "UnsupportedMediaType", message); }
Refusal not_acceptable() {
  return refusal(406, "NotAcceptable", "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf");
}
Refusal too_large(std::string_view message) { return refusal(413, "RequestEntityTooLarge", message); }
Refusal expired(std::string_view message) { return refusal(410, "Expired", message); }
Refusal timeout(std::string_view message) {
  Refusal result = refusal(504, "Timeout", message);
  result.status.set("details", Json::object({{"retryAfterSeconds", 1}}));
  return result;
}
Refusal too_many_requests(std::string_view message, int retry_after_seconds) {
  Refusal result = refusal(429, "TooManyRequests", message);
  Json details = Json::object();
  if (retry_after_seconds > 0) details.set("retryAfterSeconds", retry_after_seconds);
  result.status.set("details", std::move(details));
  return result;
}
Refusal internal_error(std::string_view message) { return refusal(500, "InternalError", fmt::format("Internal error occurred: {}", message)); }
Refusal unavailable(std::string_view message) { return refusal(503, "ServiceUnavailable", message); }
Refusal no_such_path() {
  Refusal result = refusal(404, "NotFound", "the server could not find the requested resource");
  result.status.set("details", Json::object());
  return result;
}

}  // namespace sim::loop
