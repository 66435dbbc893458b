//! The table of token rows, and the mean of some of them.

use safetensors::{Dtype, SafeTensors};

/// Rows of equal length, in row order.
pub(super) struct Table {
    cells: Cells,
    dimension: usize,
}

enum Cells {
    I8(Vec<i8>),
    F32(Vec<f32>),
}

impl Table {
    /// Reads tensor `embeddings`; the error is the rest of a sentence about the file.
    pub(super) fn parse(file: &[u8], dimension: u32) -> Result<Self, String> {
        let tensors = SafeTensors::deserialize(file).map_err(|error| format!("is not a safetensors file: {error}"))?;
        // Newer static models weight tokens and share rows; read as plain tables they would embed wrongly in silence.
        for extra in ["weights", "mapping"] {
            if tensors.tensor(extra).is_ok() {
                return Err(format!("has a tensor \"{extra}\", which is not supported"));
            }
        }
        let rows = tensors.tensor("embeddings").map_err(|_| "has no tensor \"embeddings\"".to_owned())?;
        let dimension = dimension as usize;
        match rows.shape() {
            [count, width] if *width == dimension && *count > 0 && dimension > 0 => {}
            shape => return Err(format!("has \"embeddings\" of shape {shape:?}, not tokens x {dimension}")),
        }
        let cells = match rows.dtype() {
            Dtype::I8 => Cells::I8(rows.data().iter().map(|&byte| byte as i8).collect()),
            Dtype::F32 => Cells::F32(floats(rows.data(), |bytes: [u8; 4]| f32::from_le_bytes(bytes))),
            Dtype::F16 => Cells::F32(floats(rows.data(), |bytes: [u8; 2]| half(u16::from_le_bytes(bytes)))),
            dtype => return Err(format!("has \"embeddings\" of type {dtype:?}, not I8, F16 or F32")),
        };
        match &cells {
            Cells::F32(values) if values.iter().any(|value| !value.is_finite()) => {
                Err("has a number that is not finite".to_owned())
            }
            Cells::I8(_) | Cells::F32(_) => Ok(Self { cells, dimension }),
        }
    }

    pub(super) fn rows(&self) -> usize {
        match &self.cells {
            Cells::I8(values) => values.len() / self.dimension,
            Cells::F32(values) => values.len() / self.dimension,
        }
    }

    /// The mean of the rows at unit length; none where it has no direction.
    ///
    /// The sum is enough: normalising takes the count away again.
    pub(super) fn unit_mean(&self, ids: &[u32]) -> Option<Vec<f32>> {
        let sum: Vec<f64> = match &self.cells {
            Cells::I8(values) => self.sum(values, ids, 0i64).into_iter().map(|cell| cell as f64).collect(),
            Cells::F32(values) => self.sum(values, ids, 0f64),
        };
        let length = sum.iter().map(|cell| cell * cell).sum::<f64>().sqrt();
        (length > 0.0).then(|| sum.iter().map(|cell| (cell / length) as f32).collect())
    }

    fn sum<Cell: Copy, Sum>(&self, values: &[Cell], ids: &[u32], zero: Sum) -> Vec<Sum>
    where
        Sum: Copy + From<Cell> + std::ops::AddAssign,
    {
        let mut sum = vec![zero; self.dimension];
        for &id in ids {
            let start = id as usize * self.dimension;
            for (total, &cell) in sum.iter_mut().zip(&values[start..start + self.dimension]) {
                *total += Sum::from(cell);
            }
        }
        sum
    }
}

fn floats<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect()
}

/// IEEE 754 half precision (1 sign, 5 exponent, 10 fraction bits) to single.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f32::from(bits & 0x3ff);
    match (bits >> 10) & 0x1f {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        exponent => sign * (1024.0 + fraction) * 2f32.powi(i32::from(exponent) - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_read_exactly() {
        let cases =
            [(0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_95), (0x7bff, 65504.0), (0x0001, 2f32.powi(-24))];
        for (bits, value) in cases {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
