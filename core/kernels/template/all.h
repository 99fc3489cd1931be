/* Template: all of them, in the order of their needs, for the file of an instruction set. */
/* clang-format off */
#include "kernels/template/vector.h"
#include "kernels/template/gemm.h"
#include "kernels/template/peak.h"
#include "kernels/template/direct.h"
#include "kernels/template/first.h"
#include "kernels/template/pack.h"
#include "kernels/template/winograd.h"
#include "kernels/template/window7.h"
#include "kernels/template/gradients.h"
#include "kernels/template/table.h"
/* clang-format on */
