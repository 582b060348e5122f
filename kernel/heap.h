/* SPDX-License-Identifier: BSD-2-Clause */
/* The ordered queue of ring 0: a skew heap (Sleator and Tarjan) whose nodes lie in the members;
 * operations are O(log n) amortized. */
#pragma once
#include "kernel/types.h"

/* Zeroed: a member of none. */
struct heap_node {
	uint64_t key;           /* the least comes first; all of a heap lie within 2^63 */
	struct heap_node **top; /* of the heap that it is in: where its first is; NULL = none */
	struct heap_node *left, *right, *parent;
};

/* Merges two heaps whose roots have no parent. The right spines are merged from the top, children
 * swapped. */
static inline struct heap_node *heap_merge(struct heap_node *a, struct heap_node *b)
{
	struct heap_node *root = NULL, *parent = NULL;
	struct heap_node **link = &root;

	while (a && b) {
		struct heap_node *first = a;

		if ((int64_t)(b->key - a->key) < 0) {
			first = b;
			b = a;
		}
		a = first->right; /* goes on with what was to the right of the smaller one */
		first->right = first->left;
		first->parent = parent;
		*link = first;
		link = &first->left;
		parent = first;
	}
	*link = a ? a : b;
	if (*link)
		(*link)->parent = parent;
	return root;
}

static inline void heap_insert(struct heap_node **top, struct heap_node *node, uint64_t key)
{
	node->key = key;
	node->top = top;
	*top = heap_merge(*top, node);
}

/* Takes the node out of its heap. */
static inline void heap_remove(struct heap_node *node)
{
	struct heap_node *parent = node->parent, *rest;

	if (node->left)
		node->left->parent = NULL;
	if (node->right)
		node->right->parent = NULL;
	rest = heap_merge(node->left, node->right);
	if (rest)
		rest->parent = parent;
	if (!parent)
		*node->top = rest;
	else if (parent->left == node)
		parent->left = rest;
	else
		parent->right = rest;
	node->left = node->right = node->parent = NULL;
	node->top = NULL;
}
