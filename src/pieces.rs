//! Lists cut into pieces: copied as a whole where that costs less than moving items one by one.

use std::vec;

/// A list of at most this many pieces is cut by copying what is left, once for each piece.
const FEW: usize = 4;

/// Takes the next items, at most `count`.
pub(crate) fn first<T>(items: &mut vec::IntoIter<T>, count: usize) -> Vec<T> {
    if items.len() <= count {
        return std::mem::take(items).collect();
    }
    if items.len() > FEW * count {
        return items.by_ref().take(count).collect();
    }
    let mut piece: Vec<T> = std::mem::take(items).collect();
    *items = piece.split_off(count).into_iter();
    piece
}

/// Cuts pieces of these lengths off the front of `items`. Returns them in their order, and what is left.
///
/// # Panics
/// When the pieces are longer than `items` together.
pub(crate) fn cut<T>(
    mut items: Vec<T>,
    lengths: impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + Clone,
) -> (Vec<Vec<T>>, Vec<T>) {
    let mut end = lengths.clone().sum::<usize>();
    // A short piece must not keep the buffer of a long list.
    if items.len() > FEW * end {
        let mut items = items.into_iter();
        let pieces = lengths.map(|length| items.by_ref().take(length).collect()).collect();
        return (pieces, items.collect());
    }
    let rest = items.split_off(end);
    // From the back: each piece is copied once and as a whole, and the first one not at all.
    let mut pieces = Vec::with_capacity(lengths.len());
    for length in lengths.skip(1).rev() {
        end -= length;
        pieces.push(items.split_off(end));
    }
    pieces.push(items);
    pieces.reverse();
    (pieces, rest)
}

#[cfg(test)]
mod tests {
    use super::{cut, first};

    #[test]
    fn pieces_of_any_length_come_in_order_and_leave_the_rest() {
        for items in 0..20 {
            for count in 1..25 {
                let mut rest = (0..items).collect::<Vec<_>>().into_iter();
                let mut pieces = Vec::new();
                while rest.len() > 0 {
                    let piece = first(&mut rest, count);
                    assert!(piece.len() == count || rest.len() == 0, "{items} by {count}: {piece:?}");
                    pieces.extend(piece);
                }
                assert_eq!(pieces, (0..items).collect::<Vec<_>>(), "by {count}");
            }
        }
    }

    #[test]
    fn a_list_is_cut_into_pieces_of_the_lengths_asked_for() {
        for lengths in [vec![], vec![3], vec![2, 1, 3], vec![1, 4, 2]] {
            for items in [7, 70] {
                let (pieces, rest) = cut((0..items).collect::<Vec<i32>>(), lengths.iter().copied());
                assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), lengths);
                assert_eq!([pieces.concat(), rest].concat(), (0..items).collect::<Vec<_>>());
            }
        }
    }
}
