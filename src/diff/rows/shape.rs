//! Rows on their way to the database: values as arrays of texts, one for each place of a shape.
//!
//! ```text
//! { slug: travel, author_id: { row: cms.authors, key: { handle: cy } } }
//!     slug       Text(0)                              texts[0] = ["travel", …]
//!     author_id  Reference(authors, handle: Text(1))  texts[1] = ["cy", …]
//! ```
//!
//! Rows of one shape are read or written by one statement, whose text says nothing of their values.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Cell, KeyPart, RowKey, RowReference, TableName};

/// How a value reaches the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// NULL in a key, which no equality finds.
    Null,
    /// A text that the column's type reads. The place of its array of texts.
    Text(usize),
    /// JSON that becomes an array or a composite value. The place of its array of texts.
    Tree(usize),
    /// The time of the transaction.
    ApplyTime,
    /// A column of another row, found by its key.
    Reference(Box<ReferenceForm>),
}

/// A column of another row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferenceForm {
    /// The table.
    pub table: TableName,
    /// Its key columns and their values.
    pub key: Vec<(String, Form)>,
    /// The column whose value is meant.
    pub column: String,
}

/// The shape of one row: forms of its key, then of its other columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Forms of the key columns.
    pub key: Vec<Form>,
    /// Forms of the other columns.
    pub values: Vec<Form>,
}

/// Rows of one table with the same columns and one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T> {
    /// The table.
    pub table: TableName,
    /// The key columns.
    pub key: Vec<String>,
    /// The other columns.
    pub columns: Vec<String>,
    /// How their values reach the database.
    pub shape: Shape,
    /// One array for each place of the shape, each as long as there are rows.
    pub texts: Vec<Vec<Option<String>>>,
    /// What the rows are, in order.
    pub rows: Vec<T>,
}

impl<T> Batch<T> {
    /// Key columns with their forms.
    pub fn key_forms(&self) -> impl Iterator<Item = (&String, &Form)> {
        self.key.iter().zip(&self.shape.key)
    }

    /// The other columns with their forms.
    pub fn value_forms(&self) -> impl Iterator<Item = (&String, &Form)> {
        self.columns.iter().zip(&self.shape.values)
    }

    /// The same rows with one of the other columns alone.
    pub fn only(&self, column: &str) -> Batch<T>
    where
        T: Clone,
    {
        let values = self.value_forms().filter(|(name, _)| *name == column);
        let (columns, values) = values.map(|(name, form)| (name.clone(), form.clone())).unzip();
        let shape = Shape { key: self.shape.key.clone(), values };
        Batch { columns, shape, ..self.clone() }
    }

    /// The rows but for some.
    pub fn without(&self, left_out: &BTreeSet<usize>) -> Batch<T>
    where
        T: Clone,
    {
        self.picked((0..self.rows.len()).filter(|index| !left_out.contains(index)))
    }

    /// A part of the rows.
    pub fn slice(&self, from: usize, to: usize) -> Batch<T>
    where
        T: Clone,
    {
        self.picked(from..to)
    }

    fn picked(&self, kept: impl Iterator<Item = usize> + Clone) -> Batch<T>
    where
        T: Clone,
    {
        Batch {
            texts: self.texts.iter().map(|texts| kept.clone().map(|index| texts[index].clone()).collect()).collect(),
            rows: kept.map(|index| self.rows[index].clone()).collect(),
            table: self.table.clone(),
            key: self.key.clone(),
            columns: self.columns.clone(),
            shape: self.shape.clone(),
        }
    }
}

/// Texts by place, and the rows they are of.
type Gathered<T> = (Vec<Vec<Option<String>>>, Vec<T>);

/// Gathers rows with the same columns into batches, one for each shape.
pub struct Batches<T> {
    table: TableName,
    key: Vec<String>,
    columns: Vec<String>,
    by_shape: BTreeMap<Shape, Gathered<T>>,
}

impl<T> Batches<T> {
    /// Batches of one table and these columns.
    pub fn new(table: TableName, key: Vec<String>, columns: Vec<String>) -> Batches<T> {
        Batches { table, key, columns, by_shape: BTreeMap::new() }
    }

    /// Adds a row.
    pub fn add(&mut self, shape: Shape, texts: Texts, row: T) {
        let (columns, rows) = self.by_shape.entry(shape).or_default();
        columns.resize_with(texts.0.len(), Vec::new);
        for (column, text) in columns.iter_mut().zip(texts.0) {
            column.push(text);
        }
        rows.push(row);
    }

    /// The batches.
    pub fn finish(self) -> Vec<Batch<T>> {
        let Batches { table, key, columns, by_shape } = self;
        let batch = |(shape, (texts, rows))| Batch {
            table: table.clone(),
            key: key.clone(),
            columns: columns.clone(),
            shape,
            texts,
            rows,
        };
        by_shape.into_iter().map(batch).collect()
    }
}

/// The texts of one row, by place.
#[derive(Debug, Clone, Default)]
pub struct Texts(Vec<Option<String>>);

impl Texts {
    /// A text in the next place.
    pub fn text(&mut self, text: Option<String>) -> Form {
        self.0.push(text);
        Form::Text(self.0.len() - 1)
    }

    /// JSON in the next place.
    pub fn tree(&mut self, json: String) -> Form {
        self.0.push(Some(json));
        Form::Tree(self.0.len() - 1)
    }

    /// The form of a planned value.
    pub fn cell(&mut self, cell: &Cell) -> Form {
        match cell {
            Cell::Null => self.text(None),
            Cell::Text(text) => self.text(Some(text.clone())),
            Cell::ApplyTime => Form::ApplyTime,
            Cell::Reference(reference) => {
                let RowReference { table, key, column } = reference.as_ref();
                let key = key.0.iter().map(|part| (part.column.clone(), self.key_cell(&part.value))).collect();
                Form::Reference(Box::new(ReferenceForm { table: table.clone(), key, column: column.clone() }))
            }
        }
    }

    /// The form of a planned value of a key.
    pub fn key_cell(&mut self, cell: &Cell) -> Form {
        match cell {
            Cell::Null => Form::Null,
            Cell::Text(_) | Cell::ApplyTime | Cell::Reference(_) => self.cell(cell),
        }
    }
}

/// Batches of planned rows: key and values as cells.
pub fn batches_of_cells<'c, T>(
    table: &TableName,
    key: &[String],
    columns: &[String],
    rows: impl Iterator<Item = (&'c RowKey, Vec<&'c Cell>, T)>,
) -> Vec<Batch<T>> {
    let mut batches = Batches::new(table.clone(), key.to_vec(), columns.to_vec());
    for (key, values, row) in rows {
        let mut texts = Texts::default();
        let shape = Shape {
            key: key.0.iter().map(|KeyPart { value, .. }| texts.key_cell(value)).collect(),
            values: values.into_iter().map(|cell| texts.cell(cell)).collect(),
        };
        batches.add(shape, texts, row);
    }
    batches.finish()
}
