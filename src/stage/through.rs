use super::alone::IntoStream;
use super::producer_consumer::ProducerConsumer;

impl<T: Send + 'static> IntoStream<T> {
    /// Puts a producer-consumer after this.
    ///
    /// # Panics
    /// When the stream was polled already.
    ///
    /// # Examples
    /// See [`ProducerConsumer`].
    #[track_caller]
    pub fn through<P, M>(mut self, stage: P) -> IntoStream<P::Item>
    where
        P: ProducerConsumer<M, Input = T>,
        M: Send + 'static,
    {
        let request = self.planned("what it goes through").take().expect("it is there until the first poll");
        let (handle, driver) = stage.stage().reading(*request).into_parts();
        self.drivers.push(driver);
        IntoStream::new(handle.subscribe().into_request(), self.drivers)
    }
}
