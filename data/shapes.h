// The built-in data set: 32x32 colour pictures of ten shapes. They are drawn from (seed, split, index) with
// integer arithmetic only, so that every machine draws the same bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"

namespace crescendo {

inline constexpr int64_t kShapesSide = 32;
inline constexpr Normalisation kShapesNormalisation{{127.0F, 127.0F, 127.0F}, {52.6F, 52.6F, 52.6F}};
inline constexpr int64_t kShapesTrainImages = 20000, kShapesTestImages = 4000;

// Returns the names of the ten classes.
const std::vector<std::string>& shape_names();

// Draws picture `index` as bytes [32,32,3]. Returns its class, index % 10: the first N pictures are balanced.
int32_t draw_shape(uint64_t seed, Split, int64_t index, uint8_t* pixels);

// Draws a whole split. Throws std::invalid_argument if options.train_images exceeds kShapesTrainImages.
std::shared_ptr<const Dataset> draw_shapes(const DatasetOptions&, Split);

}  // namespace crescendo
