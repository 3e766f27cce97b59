// Names of images in their parts; layers that images share.
#include <gtest/gtest.h>

#include "sim/models/registry/image_catalogue.hpp"
#include "sim/models/registry/registry_config.hpp"

namespace sim::registry {
namespace {

struct NameCase {
  std::string_view image, host, repository, object;
};
// As github.com/distribution/reference takes them apart.
const NameCase kNames[] = {
    {"nginx:1.27", "docker.io", "library/nginx", "1.27"},
    {"nginx", "docker.io", "library/nginx", "latest"},
    {"goharbor/harbor-core:v2.10.2", "docker.io", "goharbor/harbor-core", "v2.10.2"},
    {"docker.io/nginx:1", "docker.io", "library/nginx", "1"},
    {"index.docker.io/library/nginx:1", "docker.io", "library/nginx", "1"},
    {"quay.io/ceph/ceph:v18", "quay.io", "ceph/ceph", "v18"},
    {"harbor.example:5000/a/b/c:1", "harbor.example:5000", "a/b/c", "1"},
    {"harbor.example:5000/a", "harbor.example:5000", "a", "latest"},
    {"localhost/a:1", "localhost", "a", "1"},
    {"quay.io/a/b@sha256:0123", "quay.io", "a/b", "sha256:0123"},
    {"quay.io/a/b:1@sha256:0123", "quay.io", "a/b", "sha256:0123"},
};

TEST(ImageReference, Parts) {
  for (const NameCase& c : kNames) {
    SCOPED_TRACE(c.image);
    const ImageReference reference = parse_image(c.image);
    EXPECT_EQ(reference.host, c.host);
    EXPECT_EQ(reference.repository, c.repository);
    EXPECT_EQ(reference.object, c.object);
  }
}

TEST(ImagePattern, Matches) {
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("quay.io/*", "quay.io/ceph/ceph:v18"));
  EXPECT_TRUE(matches_pattern("*/ceph:v1?", "quay.io/ceph/ceph:v18"));
  EXPECT_TRUE(matches_pattern("*a*b", "xxaxbxb"));
  EXPECT_FALSE(matches_pattern("quay.io/*", "docker.io/ceph"));
  EXPECT_FALSE(matches_pattern("ceph", "ceph:v18"));
  EXPECT_FALSE(matches_pattern("a?", "a"));
}

TEST(ImageCatalogue, AKnownSizeIsCutIntoHalves) {
  Interner names;
  ImageCatalogue catalogue(names, 1000);
  const Symbol image = names.intern("app:1");
  catalogue.set_bytes(image, 1 << 20);
  const Image& cut = catalogue.image(image);
  ASSERT_EQ(cut.layers.size(), ImageCatalogue::kLayersAssumed);
  EXPECT_EQ(cut.bytes, 1 << 20);
  EXPECT_EQ(catalogue.layer(cut.layers[0]).bytes, 1 << 19);
  EXPECT_EQ(catalogue.layer(cut.layers[6]).bytes, catalogue.layer(cut.layers[7]).bytes);  // 2^20 / 128 each
  EXPECT_EQ(catalogue.layer(cut.layers[0]).unpacked, static_cast<std::int64_t>(2.7 * (1 << 19)));
  EXPECT_EQ(catalogue.image(names.intern("other:1")).bytes, 1000);
  EXPECT_EQ(catalogue.layer_count(), 16u);
}

TEST(ImageCatalogue, LayersOfOneDigestAreOne) {
  Interner names;
  ImageCatalogue catalogue(names, 1000);
  const Symbol a = names.intern("a:1"), b = names.intern("b:1");
  catalogue.set_layers(a, {{"base", 100, 250}, {"", 10, 0}});
  catalogue.set_layers(b, {{"base", 100, 250}, {"", 20, 0}, {"base", 100, 250}});
  EXPECT_EQ(catalogue.image(a).layers[0], catalogue.image(b).layers[0]);
  EXPECT_NE(catalogue.image(a).layers[1], catalogue.image(b).layers[1]);
  EXPECT_EQ(catalogue.image(a).bytes, 110);
  EXPECT_EQ(catalogue.image(b).bytes, 120);  // the second one of the same digest is the first
  EXPECT_EQ(catalogue.layer(catalogue.image(b).layers[0]).unpacked, 250);
}

}  // namespace
}  // namespace sim::registry
